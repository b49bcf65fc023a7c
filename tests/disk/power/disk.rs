//! A disk that may lose its power: what it shows, what is durable, and what it may hold when it comes back.
//!
//! # What is assumed
//!
//! **Bytes.** Of what was written to a file since its last sync, any 512-byte sector may be there or not, in any order, and
//! for each sector any of its versions. A length may be durable before the bytes: then there are zeros. A truncation may be lost.
//! A sync of a file makes its bytes and its length durable, and says nothing of its name.
//!
//! **Names**, in two models. [`Style::Journal`]: changes of names happen in the order in which they were made, as in file
//! systems with a journal of metadata (ext4, XFS); any tail of what no directory sync has covered may be lost. A directory's
//! sync covers the changes up to the last one of that directory. (Real ones promise more: there a file's sync takes earlier
//! changes of names along.) [`Style::Loose`]: as POSIX has it, each entry of a directory stands for itself until that directory
//! is synced: a file may be back under its old name, have both or neither.
//!
//! Nothing that was synced is lost, and a sector is written whole: what lies about that is no disk to keep anything on.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use crate::chance::Chance;
use crate::tree::{Tree, write};
use crate::watch::{FileId, Op};

/// What is written whole or not at all.
const SECTOR_BYTES: u64 = 512;

type DirectoryId = u32;

/// The watched directory itself.
const ROOT: DirectoryId = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(FileId),
    Directory(DirectoryId),
}

/// A name in a directory.
type Entry = (DirectoryId, String);
type Entries = BTreeMap<Entry, Node>;

/// What a name comes to mean; `None` is nothing.
type Change = (Entry, Option<Node>);

#[derive(Clone, Debug, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync.
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
enum Pending {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate(u64),
}

/// A disk after some of a record.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: HashMap<FileId, File>,
    directories: DirectoryId,
    /// As the running system sees it.
    now: Entries,
    /// As each directory's own syncs left it.
    durable: Entries,
    /// What each entry has meant since its directory was synced, oldest first.
    pending: BTreeMap<Entry, Vec<Option<Node>>>,
    /// As the journal has it for certain.
    journaled: Entries,
    /// What is not certain yet, oldest first; a rename is one step.
    journal: Vec<Vec<Change>>,
}

/// How the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Everything reached the disk: what a killed process leaves.
    Everything,
    /// Only what was synced did.
    Synced,
    /// All names did, and of the bytes only those that were synced.
    NamesAlone,
    /// All names and lengths did; what was not synced is zeros.
    ZeroedTails,
    /// All bytes did, and of the names only those that were synced.
    BytesAlone,
    /// Names in the order of a journal; bytes as chance has it.
    Journal,
    /// Each name for itself; bytes as chance has it.
    Loose,
}

impl Style {
    /// All of them.
    pub const ALL: [Style; 7] = [
        Style::Everything,
        Style::Synced,
        Style::NamesAlone,
        Style::ZeroedTails,
        Style::BytesAlone,
        Style::Journal,
        Style::Loose,
    ];
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl FromStr for Style {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Style::ALL.into_iter().find(|style| style.to_string() == text).ok_or(format!("no style {text}"))
    }
}

impl Disk {
    /// Carries out one step of the record.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { file, path } => {
                self.files.insert(*file, File::default());
                self.change(vec![(self.entry(path), Some(Node::File(*file)))]);
            }
            Op::Write { file, offset, bytes } => {
                let file = self.file(*file);
                write(&mut file.now, *offset, bytes);
                file.pending.push(Pending::Write { offset: *offset, bytes: bytes.clone() });
            }
            Op::Truncate { file, length } => {
                let file = self.file(*file);
                file.now.resize(usize::try_from(*length).expect("it fits"), 0);
                file.pending.push(Pending::Truncate(*length));
            }
            Op::Sync { file } => {
                let file = self.file(*file);
                file.pending.clear();
                file.durable.clone_from(&file.now);
            }
            Op::MakeDirectory { path } => {
                self.directories += 1;
                self.change(vec![(self.entry(path), Some(Node::Directory(self.directories)))]);
            }
            Op::Remove { path } | Op::RemoveDirectory { path } => self.change(vec![(self.entry(path), None)]),
            Op::Rename { from, to } => {
                let (from, to) = (self.entry(from), self.entry(to));
                let node = self.now[&from];
                self.change(vec![(to, Some(node)), (from, None)]);
            }
            Op::SyncDirectory { path } => self.sync_directory(self.directory(path)),
        }
    }

    fn file(&mut self, id: FileId) -> &mut File {
        self.files.get_mut(&id).expect("created before")
    }

    fn directory(&self, path: &str) -> DirectoryId {
        path.split('/').filter(|name| !name.is_empty()).fold(ROOT, |directory, name| {
            match self.now.get(&(directory, name.to_owned())) {
                Some(Node::Directory(below)) => *below,
                other => panic!("{path} leads through {other:?}"),
            }
        })
    }

    fn entry(&self, path: &str) -> Entry {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.directory(parent), name.to_owned())
    }

    fn change(&mut self, changes: Vec<Change>) {
        for (entry, node) in &changes {
            set(&mut self.now, entry, *node);
            self.pending.entry(entry.clone()).or_default().push(*node);
        }
        self.journal.push(changes);
    }

    fn sync_directory(&mut self, directory: DirectoryId) {
        let of_directory = |entry: &Entry| entry.0 == directory;
        self.pending.retain(|entry, _| !of_directory(entry));
        self.durable.retain(|entry, _| !of_directory(entry));
        let present = self.now.iter().filter(|(entry, _)| of_directory(entry));
        self.durable.extend(present.map(|(entry, node)| (entry.clone(), *node)));
        let last = self.journal.iter().rposition(|step| step.iter().any(|(entry, _)| of_directory(entry)));
        for (entry, node) in self.journal.drain(..last.map_or(0, |last| last + 1)).flatten() {
            set(&mut self.journaled, &entry, node);
        }
    }

    /// What the disk holds if the power goes now; the same for the same seed.
    pub fn crash(&self, style: Style, seed: u64) -> Tree {
        let mut chance = Chance::new(seed);
        let names = match style {
            Style::Everything | Style::NamesAlone | Style::ZeroedTails => self.now.clone(),
            Style::Synced | Style::BytesAlone => self.durable.clone(),
            Style::Journal => self.journal_names(&mut chance),
            Style::Loose => self.loose_names(&mut chance),
        };
        let mut image = Image { disk: self, names, style, chance, contents: HashMap::new(), tree: Tree::default() };
        image.walk(ROOT, "");
        image.tree
    }

    fn journal_names(&self, chance: &mut Chance) -> Entries {
        let mut names = self.journaled.clone();
        // Often all or nothing of it: what else differs then stands out.
        let kept = match chance.below(4) {
            0 => self.journal.len(),
            1 => 0,
            _ => chance.below(self.journal.len() + 1),
        };
        for (entry, node) in self.journal[..kept].iter().flatten() {
            set(&mut names, entry, *node);
        }
        names
    }

    fn loose_names(&self, chance: &mut Chance) -> Entries {
        let mut names = self.durable.clone();
        let kept = *chance.pick(&[10, 50, 90]);
        for (entry, meanings) in &self.pending {
            if chance.percent(kept) {
                set(&mut names, entry, *chance.pick(meanings));
            }
        }
        names
    }
}

fn set(names: &mut Entries, entry: &Entry, node: Option<Node>) {
    match node {
        Some(node) => names.insert(entry.clone(), node),
        None => names.remove(entry),
    };
}

/// A tree while it is put together.
struct Image<'a> {
    disk: &'a Disk,
    names: Entries,
    style: Style,
    chance: Chance,
    /// A file with two names has one content.
    contents: HashMap<FileId, Vec<u8>>,
    tree: Tree,
}

impl Image<'_> {
    fn walk(&mut self, directory: DirectoryId, path: &str) {
        let entries = self.names.range((directory, String::new())..(directory + 1, String::new()));
        let entries: Vec<(String, Node)> = entries.map(|((_, name), node)| (name.clone(), *node)).collect();
        for (name, node) in entries {
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            match node {
                Node::Directory(below) => {
                    self.walk(below, &path);
                    self.tree.directories.insert(path);
                }
                Node::File(file) => {
                    let content = self.content(file);
                    self.tree.files.insert(path, content);
                }
            }
        }
    }

    fn content(&mut self, id: FileId) -> Vec<u8> {
        if let Some(content) = self.contents.get(&id) {
            return content.clone();
        }
        let file = &self.disk.files[&id];
        let content = match self.style {
            Style::Everything | Style::BytesAlone => file.now.clone(),
            Style::Synced | Style::NamesAlone => file.durable.clone(),
            Style::ZeroedTails => file.zeroed(),
            Style::Journal | Style::Loose => file.torn(&mut self.chance),
        };
        self.contents.insert(id, content.clone());
        content
    }
}

impl File {
    fn zeroed(&self) -> Vec<u8> {
        let mut content = self.durable.clone();
        content.resize(self.now.len(), 0);
        content
    }

    fn torn(&self, chance: &mut Chance) -> Vec<u8> {
        if self.pending.is_empty() {
            return self.durable.clone();
        }
        match chance.below(5) {
            0 => self.now.clone(),
            1 => self.durable.clone(),
            2 => self.cut_short(chance),
            3 => self.zeroed(),
            _ => self.scattered(chance),
        }
    }

    /// In order up to somewhere within one write.
    fn cut_short(&self, chance: &mut Chance) -> Vec<u8> {
        let mut content = self.durable.clone();
        let last = chance.below(self.pending.len());
        for (at, pending) in self.pending[..=last].iter().enumerate() {
            match pending {
                Pending::Truncate(length) => content.resize(usize::try_from(*length).expect("it fits"), 0),
                Pending::Write { offset, bytes } => {
                    let sectors: Vec<_> = sectors(*offset, bytes).collect();
                    let kept = if at == last { chance.below(sectors.len() + 1) } else { sectors.len() };
                    sectors[..kept].iter().for_each(|(offset, bytes)| write(&mut content, *offset, bytes));
                }
            }
        }
        content
    }

    /// Any sector, any of its versions.
    fn scattered(&self, chance: &mut Chance) -> Vec<u8> {
        let mut content = self.durable.clone();
        let kept = *chance.pick(&[10, 50, 90, 98]);
        for pending in &self.pending {
            match pending {
                Pending::Truncate(length) if chance.percent(kept) => {
                    content.resize(usize::try_from(*length).expect("it fits"), 0);
                }
                Pending::Truncate(_) => {}
                Pending::Write { offset, bytes } => {
                    for (offset, bytes) in sectors(*offset, bytes) {
                        if chance.percent(kept) {
                            write(&mut content, offset, bytes);
                        } else if chance.percent(50) {
                            let end = usize::try_from(offset).expect("it fits") + bytes.len();
                            content.resize(content.len().max(end), 0);
                        }
                    }
                }
            }
        }
        content
    }
}

/// A write in pieces that end where sectors do.
fn sectors(mut offset: u64, mut bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let room = usize::try_from(SECTOR_BYTES - offset % SECTOR_BYTES).expect("small");
        let (piece, rest) = bytes.split_at(room.min(bytes.len()));
        let at = offset;
        (offset, bytes) = (offset + piece.len() as u64, rest);
        Some((at, piece))
    })
}

mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn create(file: FileId, path: &str) -> Op {
        Op::Create { file, path: path.into() }
    }

    fn written(file: FileId, offset: u64, bytes: &[u8]) -> Op {
        Op::Write { file, offset, bytes: bytes.to_vec() }
    }

    fn sync_directory(path: &str) -> Op {
        Op::SyncDirectory { path: path.into() }
    }

    fn after(ops: &[Op]) -> Disk {
        let mut disk = Disk::default();
        ops.iter().for_each(|op| disk.apply(op));
        disk
    }

    /// Every outcome that some seed gives for a file; `None` where it has no name.
    fn outcomes(disk: &Disk, style: Style, path: &str) -> BTreeSet<Option<Vec<u8>>> {
        (0..400).map(|seed| disk.crash(style, seed).files.get(path).cloned()).collect()
    }

    #[test]
    fn what_is_synced_stays_and_nothing_else_is_certain() {
        let ops = [create(0, "a"), written(0, 0, b"one"), Op::Sync { file: 0 }, written(0, 3, b"two")];
        let disk = after(&ops);
        assert_eq!(disk.crash(Style::Everything, 0).files["a"], b"onetwo");
        assert_eq!(disk.crash(Style::NamesAlone, 0).files["a"], b"one");
        assert_eq!(disk.crash(Style::ZeroedTails, 0).files["a"], b"one\0\0\0");
        assert!(disk.crash(Style::Synced, 0).files.is_empty(), "a file's sync says nothing of its name");
        for style in [Style::Journal, Style::Loose] {
            let may_be = [None, Some(b"one".to_vec()), Some(b"one\0\0\0".to_vec()), Some(b"onetwo".to_vec())];
            assert_eq!(outcomes(&disk, style, "a"), may_be.into_iter().collect(), "{style}");
        }
        let disk = after(&[&ops[..], &[sync_directory("")]].concat());
        assert_eq!(disk.crash(Style::Synced, 0).files["a"], b"one");
        let disk = after(&[&ops[..], &[sync_directory(""), Op::Sync { file: 0 }]].concat());
        for style in Style::ALL {
            assert_eq!(outcomes(&disk, style, "a"), [Some(b"onetwo".to_vec())].into(), "{style}");
        }
    }

    #[test]
    fn writes_tear_at_sectors_and_keep_no_order() {
        let long = [1; 1536];
        let disk = after(&[create(0, "a"), sync_directory(""), written(0, 0, &long), written(0, 0, &[2; 100])]);
        let found: Vec<Vec<u8>> = outcomes(&disk, Style::Journal, "a").into_iter().flatten().collect();
        let sector = |content: &Vec<u8>, number: usize| content.get(number * 512).copied();
        assert!(
            found.iter().any(|content| sector(content, 1) == Some(0) && sector(content, 2) == Some(1)),
            "reordered"
        );
        assert!(found.iter().any(|content| sector(content, 0) == Some(2) && sector(content, 1) == Some(0)));
        assert!(found.iter().any(|content| content.len() == 1024), "torn between sectors");
        for content in &found {
            for sector in content.chunks(512) {
                assert!(sector[100..].windows(2).all(|pair| pair[0] == pair[1]), "never within one");
            }
        }
    }

    #[test]
    fn renames_are_lost_from_the_end_or_each_for_itself() {
        let ops = [
            Op::MakeDirectory { path: "d".into() },
            create(0, "x"),
            sync_directory(""),
            Op::Rename { from: "x".into(), to: "d/y".into() },
            create(1, "z"),
        ];
        let disk = after(&ops);
        let outcomes = |style| -> BTreeSet<String> {
            let paths = |seed| disk.crash(style, seed).files.into_keys().collect::<Vec<_>>().join(" ");
            (0..400).map(paths).collect()
        };
        assert_eq!(outcomes(Style::Synced), ["x".to_owned()].into());
        assert_eq!(outcomes(Style::Journal), ["x", "d/y", "d/y z"].map(str::to_owned).into());
        let all = ["", "z", "x", "x z", "d/y", "d/y z", "d/y x", "d/y x z"].map(str::to_owned);
        assert_eq!(outcomes(Style::Loose), all.into());
        let mut synced = disk.clone();
        synced.apply(&sync_directory("d"));
        assert!((0..100).all(|seed| synced.crash(Style::Journal, seed).files.contains_key("d/y")));
        assert!((0..100).all(|seed| !synced.crash(Style::Journal, seed).files.contains_key("x")));
        assert!((0..100).any(|seed| synced.crash(Style::Loose, seed).files.contains_key("x")), "it may be back");
    }
}
