//! `livebucket key`: access keys.

use clap::Subcommand;

use super::admin::{Answer, ROOT_ACCOUNT, Request};
use super::{DataArg, Failure, carry_out};
use crate::clock::Wall;

/// Commands on access keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; its secret is printed once
    Create {
        #[command(flatten)]
        data: DataArg,
        /// Account the key speaks for; made when there is none of that name
        #[arg(long, default_value = ROOT_ACCOUNT)]
        account: String,
        /// Id, when it must be a certain one
        #[arg(long, requires = "secret")]
        id: Option<String>,
        /// Secret of that id
        #[arg(long, requires = "id")]
        secret: Option<String>,
    },
    /// List the keys, without their secrets
    List {
        #[command(flatten)]
        data: DataArg,
    },
    /// Disable a key: at once, also for what it is publishing
    Disable {
        #[command(flatten)]
        data: DataArg,
        /// Id
        id: String,
    },
}

/// Runs the command.
pub fn run(command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::Create { data, account, id, secret } => {
            let chosen = id.zip(secret);
            match carry_out(&data, true, Request::KeyCreate { account, chosen })? {
                Answer::Key(key) => {
                    println!("account     {}\naccess key  {}\nsecret key  {}", key.account, key.id, key.secret);
                    Ok(())
                }
                other => Err(unexpected(&other)),
            }
        }
        KeyCommand::List { data } => match carry_out(&data, false, Request::KeyList)? {
            Answer::Keys { keys } => {
                println!("{:<24} {:<16} {:<8} CREATED", "ACCESS KEY", "ACCOUNT", "STATE");
                for key in keys {
                    let state = if key.enabled { "enabled" } else { "disabled" };
                    println!("{:<24} {:<16} {:<8} {}", key.id, key.account, state, Wall(key.created_ms).iso());
                }
                Ok(())
            }
            other => Err(unexpected(&other)),
        },
        KeyCommand::Disable { data, id } => {
            carry_out(&data, false, Request::KeyDisable { id: id.clone() })?;
            println!("access key {id} is disabled");
            Ok(())
        }
    }
}

fn unexpected(answer: &Answer) -> Failure {
    Failure::failed(format!("the server gave an answer of another version: {answer:?}"))
}
