//! Opening the database file: mode, pragmas, migrations.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use refinery::error::Kind;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::noted;
use crate::limits::{
    META_BUSY_TIMEOUT, META_READER_CACHE_KIB, META_STATEMENTS_CACHED, META_WAL_BYTES_KEPT, META_WAL_PAGES,
    META_WRITER_CACHE_KIB,
};
use crate::store::{Result, StoreError};

/// The numbered SQL files, compiled in.
pub(super) mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// Opens the one connection that writes; makes the file and brings its schema up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    make_private_file(path).map_err(|cause| {
        tracing::error!(path = %path.display(), %cause, "metadata database cannot be made");
        StoreError::Unavailable("the metadata database cannot be made".into())
    })?;
    let mut conn = open_and_configure(path).map_err(|cause| {
        tracing::error!(path = %path.display(), %cause, "metadata database cannot be opened");
        noted(&cause)
    })?;
    migrate(&mut conn)?;
    Ok(conn)
}

/// Opens one more connection that only reads.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(META_BUSY_TIMEOUT)?;
    conn.pragma_update(None, "cache_size", -META_READER_CACHE_KIB)?;
    keep_statements(&conn)?;
    Ok(conn)
}

/// Opens the connection that folds the log into the database.
pub(super) fn open_folder(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(META_BUSY_TIMEOUT)?;
    // What is folded is synced before the log may be overwritten.
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

/// SQLite would make the file by the process's umask; secrets stand in it. Its `-wal` and `-shm` take the file's mode.
fn make_private_file(path: &Path) -> io::Result<()> {
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(file) => {
            file.sync_all()?;
            // The name must be as durable as the first commit that the service acknowledges.
            let directory = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs::File::open(directory)?.sync_all()
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        }
        Err(e) => Err(e),
    }
}

fn open_and_configure(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(META_BUSY_TIMEOUT)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is synced: acknowledged means durable. Committing together makes it cheap.
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "cache_size", -META_WRITER_CACHE_KIB)?;
    conn.pragma_update(None, "wal_autocheckpoint", META_WAL_PAGES.cast_signed())?;
    conn.pragma_update(None, "journal_size_limit", META_WAL_BYTES_KEPT)?;
    keep_statements(&conn)?;
    Ok(conn)
}

/// Each statement is parsed once a connection. Without the stability guarantee SQLite plans a statement anew for every
/// value that is bound to it, once a partial index is in sight: that made a lookup six times as dear.
fn keep_statements(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(META_STATEMENTS_CACHED);
    Ok(())
}

/// The number of the last migration that this release knows.
fn newest() -> Option<refinery::SchemaVersion> {
    embedded::migrations::runner().get_migrations().iter().map(refinery::Migration::version).max()
}

fn migrate(conn: &mut Connection) -> Result<()> {
    // Grouped: one transaction for all that is missing and for the note that it was done. By itself the runner notes each
    // migration in a transaction after it, and a process that ends between the two leaves a file that no start can open.
    let report = embedded::migrations::runner().set_grouped(true).run(conn).map_err(|error| {
        tracing::error!(%error, "metadata schema cannot be brought up to date");
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(inner) = cause {
            if let Some(sql) = inner.downcast_ref::<rusqlite::Error>() {
                return noted(sql);
            }
            cause = inner.source();
        }
        match error.kind() {
            // Refused before anything is written. It is whole: who is told of damage would put an old backup in its place.
            Kind::MissingVersion(migration) if newest().is_some_and(|newest| migration.version() > newest) => {
                StoreError::Unavailable(
                    "the metadata was written by a later release, which has to be used again".into(),
                )
            }
            _ => StoreError::Corrupt("the metadata schema is not one that this version knows".into()),
        }
    })?;
    for migration in report.applied_migrations() {
        tracing::info!(%migration, "metadata schema migrated");
    }
    Ok(())
}
