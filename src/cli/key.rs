//! `livebucket key`: access keys.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::admin::{Answer, ROOT_ACCOUNT, Request};
use super::{DataArg, Failure, carry_out};
use crate::clock::Wall;
use crate::limits::SESSION_POLICY_BYTES_MAX;

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
    /// Make a temporary credential of a key; its secret and its token are printed once
    Session {
        #[command(flatten)]
        data: DataArg,
        /// Key that it is made of; the account's first enabled one when not given
        #[arg(long)]
        id: Option<String>,
        /// Account, when no key is named
        #[arg(long, default_value = ROOT_ACCOUNT)]
        account: String,
        /// How long it lives: seconds, or a number with `m` or `h`; at most 36 hours
        #[arg(long, default_value = "1h", value_parser = lifetime)]
        expires: u64,
        /// File with a policy (JSON) that narrows what it may do; without one it may what its account may
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
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
        KeyCommand::Session { data, id, account, expires, policy } => {
            let policy = policy.map(|path| read_policy(&path)).transpose()?;
            match carry_out(&data, false, Request::KeySession { id, account, seconds: expires, policy })? {
                Answer::Session(key) => {
                    println!(
                        "account         {}\naccess key      {}\nsecret key      {}\nsecurity token  {}\nexpires         {}",
                        key.account,
                        key.id,
                        key.secret,
                        key.token,
                        Wall(key.expires_ms).iso()
                    );
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

/// `3600`, `90m`, `12h`: seconds.
fn lifetime(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.as_bytes().last() {
        Some(b'h') => (&text[..text.len() - 1], 3_600),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b's') => (&text[..text.len() - 1], 1),
        _ => (text, 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    seconds.ok_or_else(|| format!("`{text}` is no time like 900, 15m or 1h"))
}

fn read_policy(path: &Path) -> Result<String, Failure> {
    let unreadable = |why: String| Failure::failed(format!("policy {}: {why}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > SESSION_POLICY_BYTES_MAX as u64 {
        return Err(unreadable(format!("larger than {SESSION_POLICY_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

fn unexpected(answer: &Answer) -> Failure {
    Failure::failed(format!("the server gave an answer of another version: {answer:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_seconds_or_has_a_unit() {
        for (text, seconds) in [("900", 900), ("30s", 30), ("15m", 900), ("36h", 129_600)] {
            assert_eq!(lifetime(text), Ok(seconds), "{text}");
        }
        for text in ["", "h", "-1", "1d", "1.5h", "99999999999999999999", "9999999999999999999h"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }
}
