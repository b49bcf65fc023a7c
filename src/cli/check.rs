//! `livebucket check`: the storage invariants, proved on a data directory.

use super::{DataArg, Failure, block_on, explain};
use crate::app::StartError;
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
}

/// Prints the report; fails when an invariant does not hold.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let report = block_on(async {
        let stores = args.data.open(false).map_err(|error| match error {
            StartError::DataDir(DataDirError::InUse(path)) => Failure::failed(format!(
                "{} is in use by a running server; stop it first: a check needs the directory at rest",
                path.display()
            )),
            other => explain(other),
        })?;
        if args.recover {
            let done = recovery::startup(&*stores.meta, &*stores.blobs, stores.clock.wall()).await;
            let done = done.map_err(Failure::failed)?;
            println!(
                "recovered: {} connections ended, {} temporary files and {} unnamed blobs removed",
                done.connections_ended, done.temporaries_removed, done.blobs_removed
            );
        }
        let options = CheckOptions { verify_bytes: !args.quick };
        let report = recovery::check(&*stores.meta, &*stores.blobs, options).await.map_err(Failure::failed)?;
        stores.meta.close().await.map_err(Failure::failed)?;
        Ok::<_, Failure>(report)
    })?;
    print!("{report}");
    if report.is_clean() { Ok(()) } else { Err(Failure::failed("the data directory breaks the invariants above")) }
}
