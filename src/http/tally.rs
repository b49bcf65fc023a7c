//! Counts requests. The facade finds a metric by its name and labels, which costs more than routing a request does; so each
//! one that was needed stays at hand.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Histogram};

/// The metrics of one service's requests.
#[derive(Default)]
pub(super) struct Tally(Mutex<Handles>);

#[derive(Default)]
struct Handles {
    /// By operation and status: both are few and chosen by us.
    requests: HashMap<(&'static str, u16), Counter>,
    seconds: HashMap<&'static str, Histogram>,
    bytes: Option<(Counter, Counter)>,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally").finish_non_exhaustive()
    }
}

impl Tally {
    /// One request that is over, and the bytes of its bodies.
    pub(super) fn count(&self, operation: &'static str, status: u16, took: Duration, received: u64, sent: u64) {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let request = || metrics::counter!("livebucket_http_requests_total", "operation" => operation, "status" => status.to_string());
        handles.requests.entry((operation, status)).or_insert_with(request).increment(1);
        let seconds = || metrics::histogram!("livebucket_http_request_seconds", "operation" => operation);
        handles.seconds.entry(operation).or_insert_with(seconds).record(took.as_secs_f64());
        let (incoming, outgoing) = handles.bytes.get_or_insert_with(|| {
            let incoming = metrics::counter!("livebucket_http_received_bytes_total");
            (incoming, metrics::counter!("livebucket_http_sent_bytes_total"))
        });
        incoming.increment(received);
        outgoing.increment(sent);
    }
}
