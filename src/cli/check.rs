//! `livebucket check`: the storage invariants, proved on a data directory; or what a player of a stored playlist meets.

use super::media::{self, MediaTarget};
use super::{DataArg, Failure, block_on, explain};
use crate::app::{StartError, Stores};
use crate::store::data_dir::DataDirError;
use crate::store::recovery::{self, CheckOptions};

/// Arguments of `livebucket check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    data: DataArg,
    /// Do not read every body to compare its checksums
    #[arg(long)]
    quick: bool,
    /// Recover first, as the next start of the server would: after a crash, blobs that were in flight are still there
    #[arg(long)]
    recover: bool,
    /// Check the playlist and the fragments of a live channel instead, or of any playlist object (repeatable)
    #[arg(long, value_name = "BUCKET/CHANNEL[/PLAYLIST]", conflicts_with = "quick")]
    media: Vec<MediaTarget>,
}

/// Prints the report; fails when an invariant does not hold.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    block_on(async {
        let stores = args.data.open(false).map_err(|error| match error {
            StartError::DataDir(DataDirError::InUse(path)) => Failure::failed(format!(
                "{} is in use by a running server; stop it first: a check needs the directory at rest",
                path.display()
            )),
            other => explain(other, &args.data.data),
        })?;
        if args.recover {
            let done = recovery::startup(&*stores.meta, &*stores.blobs, stores.clock.wall()).await;
            let done = done.map_err(Failure::failed)?;
            println!(
                "recovered: {} connections ended, {} temporary files and {} unnamed blobs removed",
                done.connections_ended, done.temporaries_removed, done.blobs_removed
            );
        }
        let checked = if args.media.is_empty() {
            storage(&stores, !args.quick).await
        } else {
            media::check(&stores, &args.media).await
        };
        stores.meta.close().await.map_err(Failure::failed)?;
        checked
    })
}

async fn storage(stores: &Stores, verify_bytes: bool) -> Result<(), Failure> {
    let options = CheckOptions { verify_bytes };
    let report = recovery::check(&*stores.meta, &*stores.blobs, options).await.map_err(Failure::failed)?;
    print!("{report}");
    if report.is_clean() { Ok(()) } else { Err(Failure::failed("the data directory breaks the invariants above")) }
}
