//! The command line. A running server is reached over a socket in its data directory; with none, a command owns the
//! directory itself. The only room that prints.
#![allow(clippy::disallowed_macros, reason = "this is the room that prints")]

use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::{StartError, Stores};
use crate::config::{Config, Settings, given_master_keys, master_keys};
use crate::store::StoreError;
use crate::store::data_dir::DataDirError;
pub use admin::{Admin, Answer, Request};

pub mod admin;
mod bench;
mod bucket;
mod check;
pub mod control;
mod health;
mod key;
mod media;
mod serve;
mod url;

/// An object store and a live-video service at once: OSS API over HTTP, RTMP in, HLS out of ordinary objects.
#[derive(Debug, Parser)]
#[command(name = "livebucket", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(ConfigArgs),
    /// Print the effective configuration as a file would say it
    Config(ConfigArgs),
    /// Make, list and disable access keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Bound what a bucket may hold
    #[command(subcommand)]
    Bucket(bucket::BucketCommand),
    /// Sign URLs
    #[command(subcommand)]
    Url(url::UrlCommand),
    /// Prove the storage invariants, or a stored stream, on a data directory that no server is using
    Check(check::CheckArgs),
    /// Ask a running server whether it is ready (for container health checks)
    Health(health::HealthArgs),
    /// Load a running server and print what it cost (one JSON line)
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// Configuration file (TOML); flags and variables outrank it
    #[arg(long, env = "LIVEBUCKET_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl ConfigArgs {
    fn load(self) -> Result<Config, Failure> {
        let file = self.config.as_deref().map(Settings::from_file).transpose();
        let settings = self.settings.or(file.map_err(Failure::usage)?.unwrap_or_default());
        settings.validate().map_err(Failure::usage)
    }
}

/// Where a command finds the service.
#[derive(Clone, Debug, clap::Args)]
pub struct DataArg {
    /// Data directory of the service
    #[arg(long, env = "LIVEBUCKET_DATA", value_name = "DIR", default_value = "livebucket-data")]
    pub data: PathBuf,
    /// The server's file of master keys, when it has one
    #[arg(long, env = "LIVEBUCKET_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// The server's master keys, when they were given as they are
    #[arg(long, env = "LIVEBUCKET_MASTER_KEY", value_name = "KEY[,KEY]", hide_env_values = true)]
    pub master_key: Option<String>,
}

impl DataArg {
    /// Opens the directory itself.
    fn open(&self, create: bool) -> Result<Stores, StartError> {
        let given = given_master_keys(self.master_key.as_deref())?;
        let keys = master_keys(&given, self.master_key_file.as_deref())?;
        Stores::open_sealed(&self.data, create, keys)
    }
}

/// Why a command fails: 1 for what it found or could not do, 2 for how it was called.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    why: String,
}

impl Failure {
    /// It was called wrongly.
    pub fn usage(why: impl ToString) -> Failure {
        Failure { code: 2, why: why.to_string() }
    }

    /// It could not be done.
    pub fn failed(why: impl ToString) -> Failure {
        Failure { code: 1, why: why.to_string() }
    }
}

/// Runs the program.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => args.load().and_then(serve::run),
        Command::Config(args) => args.load().map(|config| print!("{}", config.to_toml())),
        Command::Key(command) => key::run(command),
        Command::Bucket(command) => bucket::run(command),
        Command::Url(command) => url::run(command),
        Command::Check(args) => check::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Bench(command) => bench::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The exit code says it, too, where standard error takes nothing.
            let _ = writeln!(std::io::stderr(), "livebucket: {}", failure.why);
            ExitCode::from(failure.code)
        }
    }
}

/// Runs a command's asynchronous part on one thread.
fn block_on<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the system gives an event queue").block_on(work)
}

/// Has a command carried out: by the running server, else on the directory itself (made when `create`).
fn carry_out(data: &DataArg, create: bool, request: Request) -> Result<Answer, Failure> {
    let answered = control::ask(&data.data, &request)
        .map_err(|error| Failure::failed(format!("the server of {} does not answer: {error}", data.data.display())))?;
    let answer = match answered {
        Some(answer) => answer,
        None => block_on(async {
            let stores = data.open(create).map_err(|error| explain(error, &data.data))?;
            let admin =
                Admin { meta: stores.meta.clone(), registry: None, endpoint: None, clock: stores.clock.clone() };
            let answer = admin.carry_out(request).await;
            stores.meta.close().await.map_err(Failure::failed)?;
            Ok(answer)
        })?,
    };
    match answer {
        Answer::Failed { why } => Err(Failure::failed(why)),
        answer => Ok(answer),
    }
}

/// A start that failed, with what to do about it. `docs/faults.md` has more.
fn explain(error: StartError, data: &Path) -> Failure {
    let data = data.display();
    match error {
        StartError::Store(StoreError::Corrupt(why)) => Failure::failed(format!(
            "{why}. Nothing was changed. Copy {data} away before anything else, see what is damaged with `livebucket check \
             --data {data}`, and start from a backup (docs/faults.md)"
        )),
        StartError::Store(StoreError::Full) => {
            Failure::failed(format!("no space is left where {data} is; make some and start again"))
        }
        StartError::DataDir(DataDirError::Missing(path)) => Failure::failed(format!(
            "data directory {} does not exist; name the server's with --data or LIVEBUCKET_DATA",
            path.display()
        )),
        other => Failure::failed(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
