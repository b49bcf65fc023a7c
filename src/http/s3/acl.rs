//! Access control lists as S3 writes them, as far as the canned ones go: the owner's full control, and what everybody may.
//!
//! A list that says more than a canned ACL can hold is refused: kept in part, it would allow what its author did not say.

use http::HeaderMap;
use s3s::dto::{AccessControlPolicy, Grant, Grantee, Owner, Permission, Type};

use super::error::S3Fault;
use super::exchange::Ask;
use crate::store::{Acl, BucketRecord};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

/// Headers that grant one by one, and what.
const GRANT_HEADERS: [(&str, &str); 5] = [
    ("x-amz-grant-full-control", Permission::FULL_CONTROL),
    ("x-amz-grant-read", Permission::READ),
    ("x-amz-grant-read-acp", Permission::READ_ACP),
    ("x-amz-grant-write", Permission::WRITE),
    ("x-amz-grant-write-acp", Permission::WRITE_ACP),
];

/// What `x-amz-acl` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Canned {
    /// Nothing, or what an object has anyway: it follows the bucket.
    Default,
    /// One of the three.
    Acl(Acl),
}

/// Reads the headers of a request that makes a bucket or an object, or sets the ACL of one. `owner` is the id of whoever
/// has it.
pub(super) fn from_headers(headers: &HeaderMap, owner: &str) -> Result<Canned, S3Fault> {
    let canned_name = headers.get("x-amz-acl").map(|value| String::from_utf8_lossy(value.as_bytes()));
    let grants = header_grants(headers)?;
    match (canned_name, grants.is_empty()) {
        (Some(_), false) => {
            Err(S3Fault::new("InvalidRequest").saying("Specifying both Canned ACLs and Header Grants is not allowed"))
        }
        (Some(name), true) => canned(name.trim()),
        (None, true) => Ok(Canned::Default),
        (None, false) => from_grants(&grants, owner),
    }
}

/// Whether a head says anything of an ACL.
pub(super) fn in_headers(headers: &HeaderMap) -> bool {
    headers.contains_key("x-amz-acl") || GRANT_HEADERS.iter().any(|(name, _)| headers.contains_key(*name))
}

/// `x-amz-grant-*`: each a list of grantees, `id="..."`, `uri="..."` or `emailAddress="..."`.
fn header_grants(headers: &HeaderMap) -> Result<Vec<Grant>, S3Fault> {
    let mut grants = Vec::new();
    for (name, permission) in GRANT_HEADERS {
        for value in headers.get_all(name) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for one in text.split(',') {
                let grantee = header_grantee(one)
                    .ok_or_else(|| S3Fault::invalid_argument("Argument format not recognized", name, &text))?;
                grants.push(Grant { grantee: Some(grantee), permission: Some(Permission::from_static(permission)) });
            }
        }
    }
    Ok(grants)
}

fn header_grantee(text: &str) -> Option<Grantee> {
    let (kind, value) = text.split_once('=')?;
    let value = value.trim();
    let value = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?.to_owned();
    let of = |type_: &'static str| Grantee {
        display_name: None,
        email_address: None,
        id: None,
        type_: Type::from_static(type_),
        uri: None,
    };
    match kind.trim() {
        "id" => Some(Grantee { id: Some(value), ..of(Type::CANONICAL_USER) }),
        "uri" => Some(Grantee { uri: Some(value), ..of(Type::GROUP) }),
        "emailAddress" => Some(Grantee { email_address: Some(value), ..of(Type::AMAZON_CUSTOMER_BY_EMAIL) }),
        _ => None,
    }
}

fn canned(text: &str) -> Result<Canned, S3Fault> {
    match text {
        "" | "bucket-owner-full-control" | "bucket-owner-read" => Ok(Canned::Default),
        "private" => Ok(Canned::Acl(Acl::Private)),
        "public-read" => Ok(Canned::Acl(Acl::PublicRead)),
        "public-read-write" => Ok(Canned::Acl(Acl::PublicReadWrite)),
        "authenticated-read" | "aws-exec-read" | "log-delivery-write" => {
            Err(S3Fault::header_not_implemented("x-amz-acl"))
        }
        _ => Err(S3Fault::invalid_argument("The canned ACL is not one that exists.", "x-amz-acl", text)),
    }
}

/// What a PUT of an ACL asks for: by header, or by document.
pub(super) fn requested(
    ask: &Ask,
    document: Option<&AccessControlPolicy>,
    bucket: &BucketRecord,
) -> Result<Canned, S3Fault> {
    let owner = owner_id(bucket);
    match (in_headers(&ask.headers), document) {
        (true, Some(_)) => Err(S3Fault::new("UnexpectedContent")),
        (true, None) => from_headers(&ask.headers, &owner),
        (false, Some(policy)) => from_grants(policy.grants.as_deref().unwrap_or_default(), &owner),
        (false, None) => Err(S3Fault::new("MissingSecurityHeader").with("MissingHeaderName", "x-amz-acl")),
    }
}

fn from_grants(grants: &[Grant], owner: &str) -> Result<Canned, S3Fault> {
    let (mut read, mut write) = (false, false);
    for grant in grants {
        let permission = grant.permission.as_ref().map(Permission::as_str).unwrap_or_default();
        let grantee = grant.grantee.as_ref().ok_or_else(|| S3Fault::new("MalformedXML"))?;
        if !GRANT_HEADERS.iter().any(|(_, known)| *known == permission) {
            return Err(S3Fault::new("MalformedXML"));
        }
        match (grantee.type_.as_str(), grantee.uri.as_deref(), permission) {
            // The owner may do everything, whatever a list says.
            (Type::CANONICAL_USER, _, _) if grantee.id.as_deref() == Some(owner) => {}
            (Type::GROUP, Some(ALL_USERS), Permission::READ) => read = true,
            (Type::GROUP, Some(ALL_USERS), Permission::WRITE) => write = true,
            (_, _, permission) => return Err(not_kept(grantee, permission)),
        }
    }
    match (read, write) {
        (false, false) => Ok(Canned::Acl(Acl::Private)),
        (true, false) => Ok(Canned::Acl(Acl::PublicRead)),
        (true, true) => Ok(Canned::Acl(Acl::PublicReadWrite)),
        (false, true) => Err(S3Fault::new("NotImplemented").saying("Write without read is no canned ACL.")),
    }
}

/// Names what no canned ACL says.
fn not_kept(grantee: &Grantee, permission: &str) -> S3Fault {
    let whom = [&grantee.id, &grantee.uri, &grantee.email_address].into_iter().flatten().next();
    let whom = whom.map_or("nobody", String::as_str);
    let message = format!("This service keeps canned ACLs only, and none grants {permission} to {whom}.");
    S3Fault::new("NotImplemented").saying(message)
}

/// The grants that an ACL comes to.
pub(super) fn grants(bucket: &BucketRecord, acl: Acl) -> Vec<Grant> {
    let grant = |grantee, permission: &'static str| Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(permission)),
    };
    let everybody = || Grantee {
        display_name: None,
        email_address: None,
        id: None,
        type_: Type::from_static(Type::GROUP),
        uri: Some(ALL_USERS.to_owned()),
    };
    let owner = Grantee {
        display_name: Some(bucket.owner_name.clone()),
        email_address: None,
        id: Some(owner_id(bucket)),
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    let mut grants = vec![grant(owner, Permission::FULL_CONTROL)];
    if acl != Acl::Private {
        grants.push(grant(everybody(), Permission::READ));
    }
    if acl == Acl::PublicReadWrite {
        grants.push(grant(everybody(), Permission::WRITE));
    }
    grants
}

/// The owner of a bucket and of all in it.
pub(super) fn owner(bucket: &BucketRecord) -> Owner {
    Owner { display_name: Some(bucket.owner_name.clone()), id: Some(owner_id(bucket)) }
}

fn owner_id(bucket: &BucketRecord) -> String {
    bucket.owner.0.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::store::{AccountId, BucketId, BucketName, BucketSettings, CorsConfig, Versioning};

    fn bucket() -> BucketRecord {
        BucketRecord {
            id: BucketId(1),
            name: BucketName::new("films").expect("valid"),
            owner: AccountId(7),
            owner_name: "owner".into(),
            acl: Acl::Private,
            created: Wall(0),
            cors: CorsConfig::default(),
            tags: Vec::new(),
            versioning: Versioning::default(),
            settings: BucketSettings::default(),
        }
    }

    #[test]
    fn each_canned_acl_reads_back_from_its_own_grants() {
        for acl in [Acl::Private, Acl::PublicRead, Acl::PublicReadWrite] {
            let grants = grants(&bucket(), acl);
            assert_eq!(from_grants(&grants, "7").map_err(|fault| fault.code), Ok(Canned::Acl(acl)));
        }
    }

    #[test]
    fn a_list_that_says_more_than_a_canned_acl_is_refused() {
        let of = |change: &dyn Fn(&mut Grant)| {
            let mut grants = grants(&bucket(), Acl::PublicRead);
            change(&mut grants[1]);
            from_grants(&grants, "7").map_err(|fault| fault.code)
        };
        let refused = Err("NotImplemented");
        assert_eq!(of(&|grant| grant.permission = Some(Permission::from_static(Permission::READ_ACP))), refused);
        assert_eq!(of(&|grant| grant.permission = Some(Permission::from_static(Permission::WRITE))), refused);
        assert_eq!(of(&|grant| grant.permission = None), Err("MalformedXML"));
        let drawing = Permission::from_static("DRAW");
        assert_eq!(of(&|grant| grant.permission = Some(drawing.clone())), Err("MalformedXML"));
        let everybody_signed_in = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers".to_owned();
        let set_uri =
            |grant: &mut Grant| grant.grantee.as_mut().expect("there").uri = Some(everybody_signed_in.clone());
        assert_eq!(of(&set_uri), refused);
        assert_eq!(of(&|grant| grant.grantee = None), Err("MalformedXML"));
        assert_eq!(from_grants(&grants(&bucket(), Acl::Private), "8").map_err(|fault| fault.code), refused);
    }

    #[test]
    fn grant_headers_that_equal_a_canned_acl_are_it() {
        let all = format!("uri=\"{ALL_USERS}\"");
        let owner = "id=\"7\"".to_owned();
        let both = format!("{owner}, {all}");
        let (read, write, full) = ("x-amz-grant-read", "x-amz-grant-write", "x-amz-grant-full-control");
        for (headers, expected) in [
            (vec![], Ok(Canned::Default)),
            (vec![(full, &*owner)], Ok(Canned::Acl(Acl::Private))),
            (vec![(full, "id=7")], Ok(Canned::Acl(Acl::Private))),
            (vec![(full, &*owner), (read, &*all)], Ok(Canned::Acl(Acl::PublicRead))),
            (vec![(read, &*both), (write, &*all)], Ok(Canned::Acl(Acl::PublicReadWrite))),
            (vec![("x-amz-grant-read-acp", &*owner)], Ok(Canned::Acl(Acl::Private))),
            (vec![(write, &*all)], Err("NotImplemented")),
            (vec![(full, &*all)], Err("NotImplemented")),
            (vec![("x-amz-grant-write-acp", &*all)], Err("NotImplemented")),
            (vec![(read, "id=8")], Err("NotImplemented")),
            (vec![(read, "emailAddress=\"a@example.com\"")], Err("NotImplemented")),
            (vec![(read, "uri=\"http://acs.amazonaws.com/groups/s3/LogDelivery\"")], Err("NotImplemented")),
            (vec![(read, "nonsense")], Err("InvalidArgument")),
            (vec![(read, "id=\"7")], Err("InvalidArgument")),
            (vec![(read, "colour=red")], Err("InvalidArgument")),
            (vec![(read, &*all), ("x-amz-acl", "private")], Err("InvalidRequest")),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.insert(*name, value.parse().expect("a value"));
            }
            assert_eq!(from_headers(&map, "7").map_err(|fault| fault.code), expected, "{headers:?}");
        }
    }

    #[test]
    fn canned_names_are_read_and_others_refused() {
        for (text, expected) in [
            ("private", Ok(Canned::Acl(Acl::Private))),
            ("public-read", Ok(Canned::Acl(Acl::PublicRead))),
            ("public-read-write", Ok(Canned::Acl(Acl::PublicReadWrite))),
            ("bucket-owner-full-control", Ok(Canned::Default)),
            ("authenticated-read", Err("NotImplemented")),
            ("Public-Read", Err("InvalidArgument")),
        ] {
            assert_eq!(canned(text).map_err(|fault| fault.code), expected, "{text}");
        }
    }
}
