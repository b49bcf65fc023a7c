//! The three shapes of a statement. Every statement is prepared once a connection and kept.

use rusqlite::{Connection, Params, Row};

use super::error::Sql;

/// Runs a statement; how many rows it changed.
pub(super) fn run(conn: &Connection, sql: &str, params: impl Params) -> Sql<usize> {
    Ok(conn.prepare_cached(sql)?.execute(params)?)
}

/// The first row, if any.
pub(super) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Sql<T>,
) -> Sql<Option<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// Every row.
pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Sql<T>,
) -> Sql<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Whether there is a row.
pub(super) fn exists(conn: &Connection, sql: &str, params: impl Params) -> Sql<bool> {
    Ok(conn.prepare_cached(sql)?.exists(params)?)
}
