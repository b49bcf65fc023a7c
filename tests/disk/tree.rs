//! A directory tree as a value: what a record comes to, and what a real directory holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::watch::{FileId, Op, is_volatile};

/// Names and contents, by path relative to the root, which itself is not named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Every directory.
    pub directories: BTreeSet<String>,
    /// Every file with what it holds.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// What a directory holds now, [volatile](is_volatile) files left out.
    pub fn read(root: &Path) -> Tree {
        Tree::try_read(root).expect("nothing goes while it is read")
    }

    /// The same of a directory in which something may change meanwhile.
    pub fn try_read(root: &Path) -> io::Result<Tree> {
        let mut tree = Tree::default();
        tree.read_below(root, "")?;
        Ok(tree)
    }

    fn read_below(&mut self, path: &Path, name: &str) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let below = entry.file_name().into_string().expect("our names are UTF-8");
            let below = if name.is_empty() { below } else { format!("{name}/{below}") };
            if is_volatile(&below) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                self.read_below(&entry.path(), &below)?;
                self.directories.insert(below);
            } else {
                self.files.insert(below, fs::read(entry.path())?);
            }
        }
        Ok(())
    }

    /// Makes all of it in a directory that has nothing.
    pub fn write_out(&self, root: &Path) {
        for path in &self.directories {
            DirBuilder::new().recursive(true).mode(0o700).create(root.join(path)).expect("made");
        }
        for (path, bytes) in &self.files {
            fs::write(root.join(path), bytes).expect("written");
        }
    }

    /// What a record comes to when all of it took effect.
    pub fn of(ops: &[Op]) -> Tree {
        let (mut names, mut contents) = (BTreeMap::<String, FileId>::new(), HashMap::<FileId, Vec<u8>>::new());
        let mut directories = BTreeSet::new();
        for op in ops {
            match op {
                Op::Create { file, path } => {
                    names.insert(path.clone(), *file);
                    contents.insert(*file, Vec::new());
                }
                Op::Write { file, offset, bytes } => {
                    write(contents.get_mut(file).expect("created"), *offset, bytes);
                }
                Op::Truncate { file, length } => {
                    contents.get_mut(file).expect("created").resize(usize::try_from(*length).expect("it fits"), 0);
                }
                Op::MakeDirectory { path } => drop(directories.insert(path.clone())),
                Op::RemoveDirectory { path } => drop(directories.remove(path)),
                Op::Rename { from, to } => {
                    let file = names.remove(from).expect("it had this name");
                    names.insert(to.clone(), file);
                }
                Op::Remove { path } => drop(names.remove(path)),
                Op::Sync { .. } | Op::SyncDirectory { .. } => {}
            }
        }
        let files = names.into_iter().map(|(path, file)| (path, contents[&file].clone())).collect();
        Tree { directories, files }
    }
}

/// Puts bytes at an offset of a file's content; a gap is zeros.
pub fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let offset = usize::try_from(offset).expect("it fits");
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}
