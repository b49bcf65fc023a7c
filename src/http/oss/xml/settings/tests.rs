//! Golden documents of a bucket's settings, both ways, and what is refused.

use super::super::tests::check;
use super::*;

/// What a reader makes of a body, or the status and code of its error.
fn outcome<T>(read: fn(&[u8]) -> Result<T, OssError>, body: &str) -> Result<T, (u16, &'static str)> {
    read(body.as_bytes()).map_err(|error| (error.status.as_u16(), error.code))
}

const MALFORMED: (u16, &str) = (400, "MalformedXML");
const ARGUMENT: (u16, &str) = (400, "InvalidArgument");
const NOT_BUILT: (u16, &str) = (501, "NotImplemented");

#[test]
fn referer_documents() {
    let rules = RefererRules {
        allow_empty: false,
        truncate_query: true,
        truncate_path: true,
        allowed: vec!["http://www.example.com".into(), "https://*.example.com".into()],
        refused: vec!["http://a?.example.org".into()],
    };
    let golden = "<RefererConfiguration>
           <AllowEmptyReferer>false</AllowEmptyReferer>
           <AllowTruncateQueryString>true</AllowTruncateQueryString>
           <TruncatePath>true</TruncatePath>
           <RefererList>
             <Referer>http://www.example.com</Referer><Referer>https://*.example.com</Referer>
           </RefererList>
           <RefererBlacklist><Referer>http://a?.example.org</Referer></RefererBlacklist>
         </RefererConfiguration>";
    check(referer_configuration(&rules), golden);
    assert_eq!(outcome(read_referer_configuration, golden), Ok(rules));
    let defaults = "<RefererConfiguration>
           <AllowEmptyReferer>true</AllowEmptyReferer>
           <AllowTruncateQueryString>true</AllowTruncateQueryString>
           <TruncatePath>false</TruncatePath>
           <RefererList></RefererList>
         </RefererConfiguration>";
    check(referer_configuration(&RefererRules::default()), defaults);
    // What one old library sends.
    let short = "<RefererConfiguration><AllowEmptyReferer>True</AllowEmptyReferer><RefererList><Referer/></RefererList>\
                 </RefererConfiguration>";
    assert_eq!(outcome(read_referer_configuration, short), Ok(RefererRules::default()));
}

#[test]
fn referer_documents_that_are_refused() {
    let of = |inside: &str| {
        let body = format!("<RefererConfiguration>{inside}</RefererConfiguration>");
        outcome(read_referer_configuration, &body).map(drop)
    };
    let list = |pattern: &str, count| {
        let list = format!("<Referer>{pattern}</Referer>").repeat(count);
        format!("<AllowEmptyReferer>true</AllowEmptyReferer><RefererList>{list}</RefererList>")
    };
    assert_eq!(of(""), Err(MALFORMED));
    assert_eq!(of("<AllowEmptyReferer>perhaps</AllowEmptyReferer>"), Err(MALFORMED));
    assert_eq!(of(&list(&"a".repeat(REFERER_LISTS_BYTES_MAX), 1)), Ok(()));
    assert_eq!(of(&list(&"a".repeat(REFERER_LISTS_BYTES_MAX + 1), 1)), Err(ARGUMENT));
    assert_eq!(of(&list("a", REFERER_LISTS_MAX)), Ok(()));
    assert_eq!(of(&list("a", REFERER_LISTS_MAX + 1)), Err(ARGUMENT));
}

#[test]
fn logging_documents() {
    let golden = "<BucketLoggingStatus><LoggingEnabled>
           <TargetBucket>logs</TargetBucket><TargetPrefix>films/</TargetPrefix>
         </LoggingEnabled></BucketLoggingStatus>";
    let target = LoggingTarget { bucket: "logs".into(), prefix: "films/".into() };
    check(bucket_logging_status(Some(&target)), golden);
    assert_eq!(outcome(read_bucket_logging_status, golden), Ok(Some(target)));
    check(bucket_logging_status(None), "<BucketLoggingStatus></BucketLoggingStatus>");
    assert_eq!(outcome(read_bucket_logging_status, "<BucketLoggingStatus/>"), Ok(None));
    let of = |inside: &str| {
        let body = format!("<BucketLoggingStatus><LoggingEnabled>{inside}</LoggingEnabled></BucketLoggingStatus>");
        outcome(read_bucket_logging_status, &body).map(drop)
    };
    assert_eq!(of("<TargetPrefix>a</TargetPrefix>"), Err(MALFORMED));
    assert_eq!(of("<TargetBucket>logs</TargetBucket>"), Ok(()));
    assert_eq!(of("<TargetBucket>logs</TargetBucket><LoggingRole>r</LoggingRole>"), Err(NOT_BUILT));
    let long = "a".repeat(LOG_PREFIX_BYTES_MAX + 1);
    assert_eq!(of(&format!("<TargetBucket>l</TargetBucket><TargetPrefix>{long}</TargetPrefix>")), Err(ARGUMENT));
}

#[test]
fn encryption_documents() {
    let golden = "<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault>
           <SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID></KMSMasterKeyID>
         </ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>";
    check(server_side_encryption_rule(), golden);
    assert_eq!(outcome(read_server_side_encryption_rule, golden), Ok(DefaultEncryption::default()));
    let of = |inside: &str| {
        let default = format!("<ApplyServerSideEncryptionByDefault>{inside}</ApplyServerSideEncryptionByDefault>");
        let body = format!("<ServerSideEncryptionRule>{default}</ServerSideEncryptionRule>");
        outcome(read_server_side_encryption_rule, &body).map(drop)
    };
    let algorithm = |name: &str| format!("<SSEAlgorithm>{name}</SSEAlgorithm>");
    assert_eq!(of(""), Err(MALFORMED));
    assert_eq!(of(&algorithm("KMS")), Err(NOT_BUILT));
    assert_eq!(of(&algorithm("SM4")), Err(NOT_BUILT));
    assert_eq!(of(&algorithm("ROT13")), Err((400, "InvalidEncryptionAlgorithmError")));
    let aes = algorithm("AES256");
    assert_eq!(of(&format!("{aes}<KMSMasterKeyID>k</KMSMasterKeyID>")), Err(ARGUMENT));
    assert_eq!(of(&format!("{aes}<KMSDataEncryption>SM4</KMSDataEncryption>")), Err(ARGUMENT));
    let no_default = "<ServerSideEncryptionRule></ServerSideEncryptionRule>";
    assert_eq!(outcome(read_server_side_encryption_rule, no_default), Err(MALFORMED));
}

#[test]
fn request_payment_documents() {
    for (payer, text) in [(Payer::BucketOwner, "BucketOwner"), (Payer::Requester, "Requester")] {
        let golden = format!("<RequestPaymentConfiguration><Payer>{text}</Payer></RequestPaymentConfiguration>");
        check(request_payment_configuration(payer), &golden);
        assert_eq!(outcome(read_request_payment_configuration, &golden), Ok(payer));
    }
    let nobody = "<RequestPaymentConfiguration><Payer>Nobody</Payer></RequestPaymentConfiguration>";
    assert_eq!(outcome(read_request_payment_configuration, nobody), Err(MALFORMED));
}

#[test]
fn transfer_acceleration_documents() {
    for (enabled, text) in [(true, "true"), (false, "false")] {
        let golden =
            format!("<TransferAccelerationConfiguration><Enabled>{text}</Enabled></TransferAccelerationConfiguration>");
        check(transfer_acceleration_configuration(enabled), &golden);
        assert_eq!(outcome(read_transfer_acceleration_configuration, &golden), Ok(enabled));
    }
    let empty = "<TransferAccelerationConfiguration/>";
    assert_eq!(outcome(read_transfer_acceleration_configuration, empty), Err(MALFORMED));
}

#[test]
fn public_access_block_documents() {
    let golden = |text: &str| {
        format!(
            "<PublicAccessBlockConfiguration><BlockPublicAccess>{text}</BlockPublicAccess></PublicAccessBlockConfiguration>"
        )
    };
    let part = PublicAccessBlock { ignore_acls: true, ..PublicAccessBlock::default() };
    check(public_access_block_configuration(None), &golden("false"));
    check(public_access_block_configuration(Some(part)), &golden("false"));
    check(public_access_block_configuration(Some(PublicAccessBlock::ALL)), &golden("true"));
    let read = |text| outcome(read_public_access_block_configuration, &golden(text));
    assert_eq!(read("true"), Ok(PublicAccessBlock::ALL));
    assert_eq!(read("false"), Ok(PublicAccessBlock::default()));
    assert_eq!(read(""), Err(MALFORMED));
}

#[test]
fn another_documents_root_is_refused() {
    let other = "<Tagging><Payer>Requester</Payer><Enabled>true</Enabled><BlockPublicAccess>true</BlockPublicAccess>\
                 <AllowEmptyReferer>true</AllowEmptyReferer></Tagging>";
    assert_eq!(outcome(read_referer_configuration, other), Err(MALFORMED));
    assert_eq!(outcome(read_bucket_logging_status, other), Err(MALFORMED));
    assert_eq!(outcome(read_server_side_encryption_rule, other), Err(MALFORMED));
    assert_eq!(outcome(read_request_payment_configuration, other), Err(MALFORMED));
    assert_eq!(outcome(read_transfer_acceleration_configuration, other), Err(MALFORMED));
    assert_eq!(outcome(read_public_access_block_configuration, other), Err(MALFORMED));
}
