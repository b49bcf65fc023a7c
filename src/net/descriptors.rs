//! Descriptors: how many this process may have open, and how many of them sockets may take.
//!
//! A shell or a service manager often gives 1024, with leave to take more. Without them a thousand idle sockets would stop
//! every file of every publisher.

use crate::limits;

/// Takes as many descriptors as the system gives this process leave for; how many it then has. `None`: no bound.
pub fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, "the bound on open files cannot be raised");
            current
        }
    }
}

/// How many of `wanted` sockets `descriptors` are enough for, with what files need set aside; at least one.
pub fn sockets_within(wanted: usize, descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return wanted };
    // A process with few is left half of them.
    let for_files = limits::FILE_DESCRIPTORS_KEPT.min(descriptors / 2);
    wanted.min(usize::try_from(descriptors - for_files).unwrap_or(usize::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_keep_their_share_of_the_descriptors() {
        for (wanted, descriptors, sockets) in [
            (16_384, None, 16_384),
            (16_384, Some(1 << 20), 16_384),
            (16_384, Some(1_024), 512),
            (16_384, Some(16_384), 16_384 - limits::FILE_DESCRIPTORS_KEPT as usize),
            (100, Some(1_024), 100),
            (100, Some(1), 1),
            (100, Some(0), 1),
        ] {
            assert_eq!(sockets_within(wanted, descriptors), sockets, "{wanted} of {descriptors:?}");
        }
    }

    #[test]
    fn what_is_given_is_taken() {
        let taken = raise();
        assert_eq!(raise(), taken, "and stays");
        let now = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!((now.current, now.current), (taken, now.maximum));
    }
}
