//! `livebucket bucket`: what an operator allows a bucket.

use clap::Subcommand;

use super::admin::{Answer, Bound, Request};
use super::{DataArg, Failure, carry_out};

/// Commands on buckets.
#[derive(Debug, Subcommand)]
pub enum BucketCommand {
    /// Show how much a bucket may hold, or set it: at once, also in a running server
    Quota {
        #[command(flatten)]
        data: DataArg,
        /// Name of the bucket
        bucket: String,
        /// Bytes of objects and of parts of open uploads together, or `none`
        #[arg(long, value_name = "N|none", value_parser = read_bound)]
        bytes: Option<Bound>,
        /// Objects, or `none`
        #[arg(long, value_name = "N|none", value_parser = read_bound)]
        objects: Option<Bound>,
    },
}

fn read_bound(text: &str) -> Result<Bound, String> {
    match text {
        "none" => Ok(Bound::Lift),
        digits => digits.parse().map(Bound::Set).map_err(|_| "neither a number nor `none`".to_owned()),
    }
}

/// Runs the command.
pub fn run(command: BucketCommand) -> Result<(), Failure> {
    let BucketCommand::Quota { data, bucket, bytes, objects } = command;
    let (bytes, objects) = (bytes.unwrap_or_default(), objects.unwrap_or_default());
    match carry_out(&data, false, Request::BucketQuota { bucket: bucket.clone(), bytes, objects })? {
        Answer::BucketQuota { held_bytes, bytes, held_objects, objects } => {
            let of = |max: Option<u64>| max.map_or("any".to_owned(), |max| max.to_string());
            println!("bucket      {bucket}\nbytes       {held_bytes} of {}", of(bytes));
            println!("objects     {held_objects} of {}", of(objects));
            Ok(())
        }
        other => Err(Failure::failed(format!("the server gave an answer of another version: {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_number_or_none() {
        assert_eq!(read_bound("0"), Ok(Bound::Set(0)));
        assert_eq!(read_bound("18446744073709551615"), Ok(Bound::Set(u64::MAX)));
        assert_eq!(read_bound("none"), Ok(Bound::Lift));
        for wrong in ["", "-1", "1k", "18446744073709551616", "None"] {
            assert!(read_bound(wrong).is_err(), "{wrong}");
        }
    }
}
