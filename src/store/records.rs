//! Plain records, as they cross the ports. No SQL and no row type of a database appears here.

mod accounts;
mod buckets;
mod live;
mod objects;
#[cfg(test)]
pub(crate) mod testbed;
mod uploads;

pub use accounts::*;
pub use buckets::*;
pub use live::*;
pub use objects::*;
pub use uploads::*;

pub use crate::auth::access::Acl;
pub use crate::media::MediaTime;
