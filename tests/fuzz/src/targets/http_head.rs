//! Request heads through addressing, signature, clock and route. A head that we sign ourselves is let in as its signer,
//! whatever it says; what nobody signed is anonymous or refused.

use std::collections::BTreeMap;

use crate::block_on;
use crate::http::{DATE, authorization, head};
use crate::room::{KEY, NOW, Room};
use livebucket::auth::signing_keys::SigningKeys;
use livebucket::http::oss::accept::{Caller, accept};
use livebucket::http::oss::operation::Query;
use livebucket::net::host::HostRules;

thread_local! {
    /// Nothing here writes.
    static ROOM: Room = block_on(Room::new(5, 3));
    /// Remembered from one head to the next, as a server does.
    static SIGNING_KEYS: SigningKeys = SigningKeys::default();
}

/// Takes one input.
pub fn run(data: &[u8]) {
    let Some((&sign, bytes)) = data.split_first() else { return };
    let Some(mut parts) = head(bytes) else { return };
    let hosts = HostRules {
        base_domains: vec!["oss.example.com".into()],
        cnames: BTreeMap::from([("cdn.example.org".to_owned(), "films".to_owned())]),
    };
    let ask = |parts: &http::request::Parts| {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        ROOM.with(|room| SIGNING_KEYS.with(|keys| block_on(accept(parts, query, &hosts, &*room.meta, keys, NOW))))
    };
    if let Ok(accepted) = ask(&parts) {
        let claims = parts.headers.contains_key("authorization") || parts.uri.query().is_some();
        assert!(accepted.caller == Caller::Anonymous || claims, "nobody proved anything");
    }
    if sign & 1 == 0 || parts.headers.contains_key("authorization") {
        return;
    }
    parts.headers.insert("x-oss-date", DATE.parse().expect("a header"));
    let headers: Vec<(&str, &[u8])> = parts.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    let query = parts.uri.query().unwrap_or_default();
    let value = authorization(parts.method.as_str(), parts.uri.path(), query, &headers);
    parts.headers.insert("authorization", value.parse().expect("a header"));
    if let Ok(accepted) = ask(&parts) {
        assert!(matches!(accepted.caller, Caller::Key { access_key_id, .. } if access_key_id == KEY.0));
    }
}
