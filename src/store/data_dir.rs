//! The data directory of one machine: its layout, its permissions, and the lock that gives it one owner.
//!
//! ```text
//! livebucket-data/          0700
//!   lock                    held by the process that owns the directory
//!   control.sock            0600; how `livebucket key` and `url` reach a running server
//!   meta.db  meta.db-wal    metadata: SQLite, 0600
//!   blobs/                  bodies over 32 KiB, one file each
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// An owned data directory. The lock goes with the value, and with the process however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a data directory cannot be owned.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process owns it.
    #[error("data directory {0} is in use by another process")]
    InUse(PathBuf),
    /// There is none.
    #[error("data directory {0} does not exist")]
    Missing(PathBuf),
    /// The file system refuses.
    #[error("data directory {path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl DataDir {
    /// Owns the directory; makes it when it is missing, so that its name is durable before anything is in it. It becomes private
    /// unless other things are in it as well; what the store puts there is private in itself.
    pub fn create_and_lock(path: &Path) -> Result<DataDir, DataDirError> {
        let at = |source| DataDirError::Io { path: path.to_owned(), source };
        make_durably(path).map_err(at)?;
        match foreign_entry(path).map_err(at)? {
            // Secrets are inside, and the directory may have been made by somebody's script.
            None => fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at)?,
            // A slip of the pen (`--data /`) must not shut everybody else out of the machine.
            Some(entry) => tracing::warn!(
                path = %path.display(), entry = %entry.display(),
                "the data directory holds other things: its mode is left as it is"
            ),
        }
        DataDir::lock(path)
    }

    /// Owns a directory that exists.
    pub fn lock(path: &Path) -> Result<DataDir, DataDirError> {
        if !path.is_dir() {
            return Err(DataDirError::Missing(path.to_owned()));
        }
        let lock_path = path.join("lock");
        let at = |source| DataDirError::Io { path: lock_path.clone(), source };
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path).map_err(at)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DataDir { path: path.to_owned(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DataDirError::InUse(path.to_owned())),
            Err(errno) => Err(at(errno.into())),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata database.
    pub fn meta_path(&self) -> PathBuf {
        self.path.join("meta.db")
    }

    /// The blobs.
    pub fn blob_path(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// The control socket of a data directory, owned or not.
    pub fn control_path(path: &Path) -> PathBuf {
        path.join("control.sock")
    }
}

/// What shows that a directory is not a store's alone. A file system of its own may have its `lost+found`, and hidden files say
/// nothing.
fn foreign_entry(path: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let is_ours = ["lock", "control.sock", "blobs", "lost+found"].iter().any(|ours| name == *ours);
        if !is_ours && ![&b"."[..], b"meta.db"].iter().any(|start| name.as_encoded_bytes().starts_with(start)) {
            return Ok(Some(name.into()));
        }
    }
    Ok(None)
}

/// Makes a directory and those above it that are missing, and syncs the name of each: what is acknowledged later is worth no
/// more than the path that leads to it.
fn make_durably(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for made in &missing {
        sync_name(made)?;
    }
    // Whoever made it may have been killed before syncing. It may as well be an operator's, above which nothing is ours.
    if missing.is_empty()
        && let Err(error) = sync_name(path)
    {
        tracing::warn!(path = %path.display(), %error, "the name of the data directory cannot be synced");
    }
    Ok(())
}

fn sync_name(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()), // the root has no name
    };
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_and_no_other_reader() {
        let temp = tempfile::tempdir().expect("a directory");
        let path = temp.path().join("data");
        assert!(matches!(DataDir::lock(&path), Err(DataDirError::Missing(_))));
        let owned = DataDir::create_and_lock(&path).expect("free");
        assert!(matches!(DataDir::create_and_lock(&path), Err(DataDirError::InUse(_))));
        let mode = fs::metadata(&path).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(owned);
        DataDir::lock(&path).expect("free again");
    }

    #[test]
    fn a_directory_that_is_not_the_stores_alone_keeps_its_mode() {
        let temp = tempfile::tempdir().expect("a directory");
        let path = temp.path().join("home");
        let mode = || fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        let opened = || drop(DataDir::create_and_lock(&path).expect("nobody owns it"));
        fs::create_dir_all(path.join("lost+found")).expect("made");
        for name in [".profile", "meta.db", "meta.db-wal"] {
            fs::write(path.join(name), "").expect("made");
        }
        let by_others = || fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        by_others();
        opened();
        assert_eq!(mode(), 0o700, "nothing is in it that counts");
        by_others();
        fs::write(path.join("letter.txt"), "").expect("made");
        opened();
        assert_eq!(mode(), 0o755, "a letter is in it");
    }
}
