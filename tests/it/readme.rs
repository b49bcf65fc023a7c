//! The README's table of operations is true: every cell that says an operation is there has a test, and the test is there.
//!
//! A row of the table is `| operation | OSS | S3 | notes |`. A cell that is not empty is a promise. The tests that keep it
//! stand here under the row's first cell, as `FILE::NAME`: a function of Rust or Python, or the title of a test of node. A
//! new row needs a line here, and a line here a row.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A row's first cell, and the tests of its OSS and its S3 cell.
type Proof = (&'static str, &'static [&'static str], &'static [&'static str]);

const OSS2: &str = "compat-tests/oss2/test_objects.py";
const PROOFS: &[Proof] = &[
    (
        "list, create, delete buckets",
        &[
            "compat-tests/alibabacloud-oss-v2/test_objects.py::test_buckets_are_listed_page_by_page",
            "compat-tests/rust/tests/ali_oss_rs.rs::buckets",
        ],
        &["compat-tests/s3/test_boto3.py::test_buckets_are_listed_and_described"],
    ),
    (
        "bucket location, ACL, CORS and preflights",
        &[
            "compat-tests/oss2/test_objects.py::test_info_location_and_acl",
            "compat-tests/oss2/test_browser.py::test_a_page_uploads_and_reads",
            "compat-tests/browser/ali-oss.test.mjs::without a rule the browser keeps the bucket from the page",
        ],
        &[
            "compat-tests/s3/test_boto3.py::test_acls",
            "compat-tests/s3/test_boto3.py::test_cors",
            "compat-tests/s3/test_browser.py::test_a_page_uploads_and_reads",
        ],
    ),
    ("HeadBucket", &[], &["compat-tests/s3/test_boto3.py::test_buckets_are_listed_and_described"]),
    (
        "versioning: get, put",
        &[
            "compat-tests/oss2/test_versions.py::test_suspending_keeps_what_is_there",
            "compat-tests/ali-oss/versions.test.mjs::a suspended bucket replaces the null version alone",
        ],
        &[
            "compat-tests/s3/test_versions.py::test_suspending_keeps_what_is_there",
            "compat-tests/s3/test_versions.py::test_a_second_factor_is_not_promised",
        ],
    ),
    (
        "list versions",
        &[
            "compat-tests/oss2/test_versions.py::test_a_listing_pages_and_rolls_up",
            "src/store/meta/sqlite/versions/tests.rs::listing_versions_costs_its_page",
        ],
        &["compat-tests/s3/test_versions.py::test_a_listing_pages_and_rolls_up"],
    ),
    (
        "`versionId` on get, head, delete, delete many, ACL, tagging, copy and part copy sources",
        &[
            "compat-tests/oss2/test_versions.py::test_versions_are_read_by_id",
            "compat-tests/oss2/test_versions.py::test_a_delete_is_undone",
            "compat-tests/oss2/test_versions.py::test_settings_and_copies_of_a_version",
            "src/http/tests/versions.rs::only_the_owner_removes_a_version_for_good",
        ],
        &[
            "compat-tests/s3/test_versions.py::test_versions_are_read_by_id",
            "compat-tests/s3/test_versions.py::test_many_are_deleted_at_once",
            "compat-tests/s3/test_versions.py::test_settings_and_copies_of_a_version",
        ],
    ),
    ("bucket info", &["compat-tests/oss2/test_objects.py::test_info_location_and_acl"], &[]),
    (
        "bucket stat",
        &[
            "compat-tests/oss2/test_objects.py::test_stat",
            "tests/it/random/mod.rs::mixed_operations_with_kills_between_agree_with_a_model",
        ],
        &[],
    ),
    ("DescribeRegions", &["compat-tests/oss2/test_objects.py::test_regions"], &[]),
    (
        "list objects, version 1 and 2",
        &[
            "compat-tests/alibabacloud-oss-v2/test_objects.py::test_odd_keys_go_up_come_down_and_are_listed",
            "compat-tests/ali-oss/objects.test.mjs::list and listV2 with prefix, delimiter, marker and token",
        ],
        &["compat-tests/s3/test_boto3.py::test_listings", "compat-tests/s3/test_browser.py::test_listing_of_odd_keys"],
    ),
    (
        "put, get, head, delete, delete many",
        &[
            "compat-tests/oss2/test_objects.py::test_put_and_get_with_crc",
            "compat-tests/oss2/test_objects.py::test_deletes",
        ],
        &[
            "compat-tests/s3/test_boto3.py::test_an_object_comes_back_as_it_was_put",
            "compat-tests/s3/test_boto3.py::test_many_are_deleted_at_once",
            "compat-tests/s3/test_boto3.py::test_conditions",
            "tests/it/s3_checksums.rs::of_writers_that_want_to_be_the_first_one_is",
            "compat-tests/s3/test_boto3.py::test_checksums_are_verified_and_echoed",
        ],
    ),
    (
        "copy, with conditions and directives",
        &["compat-tests/alibabacloud-oss-v2/test_objects.py::test_copy"],
        &["compat-tests/s3/test_boto3.py::test_copies"],
    ),
    (
        "browser form (`POST` multipart/form-data)",
        &[
            "compat-tests/oss2/test_callback.py::test_a_form_uploads",
            "compat-tests/oss2/test_callback.py::test_what_the_policy_does_not_allow_is_refused",
            "compat-tests/ali-oss/callbacks.test.mjs::${title}: a page uploads",
            "src/http/tests/form.rs::what_is_wrong_with_a_form_is_told_and_the_old_object_stays",
        ],
        &[
            "compat-tests/s3/test_boto3.py::test_a_presigned_form_uploads_within_its_conditions",
            "src/http/tests/form.rs::s3_forms_speak_of_every_field_and_answer_in_their_own_words",
        ],
    ),
    (
        "callback after upload",
        &[
            "compat-tests/oss2/test_callback.py::test_put_object_calls_back",
            "compat-tests/oss2/test_callback.py::test_complete_multipart_upload_calls_back",
            "compat-tests/oss2/test_callback.py::test_a_form_calls_back",
            "compat-tests/oss2/test_callback.py::test_a_callback_that_fails_is_203_and_the_object_is_there",
            "compat-tests/ali-oss/callbacks.test.mjs::a private address is refused",
        ],
        &[],
    ),
    (
        "traffic limit of one transfer",
        &[
            "compat-tests/oss2/test_callback.py::test_a_transfer_is_held_back",
            "src/http/tests/pace.rs::every_transfer_takes_the_time_that_it_asks_for",
        ],
        &[],
    ),
    (
        "multipart: create, part, part copy, complete, abort, lists",
        &[
            "compat-tests/oss2/test_multipart.py::test_init_parts_and_complete_with_crc",
            "compat-tests/oss2/test_multipart.py::test_parts_are_copied_with_ranges_and_conditions",
            "compat-tests/oss2/test_multipart.py::test_uploads_are_listed_and_aborted",
        ],
        &[
            "compat-tests/s3/test_boto3.py::test_multipart_by_hand",
            "compat-tests/s3/test_browser.py::test_an_upload_is_resumed_from_its_list_of_parts",
        ],
    ),
    (
        "object lock: configuration, retention, legal hold",
        &[],
        &[
            "compat-tests/s3/test_lock.py::test_default_retention",
            "compat-tests/s3/test_lock.py::test_retention",
            "compat-tests/s3/test_lock.py::test_legal_hold",
            "tests/it/lock.rs::what_is_locked_over_s3_stays_over_both_dialects",
        ],
    ),
    ("append", &["compat-tests/oss2/test_objects.py::test_append_with_crc"], &[]),
    (
        "symlinks: put, get, follow, copy",
        &[
            "compat-tests/oss2/test_kinds.py::test_symlink_is_made_told_and_read_through",
            "compat-tests/oss2/test_kinds.py::test_symlink_is_copied_as_one_and_may_lead_nowhere",
            "compat-tests/ali-oss/kinds.test.mjs::putSymlink, getSymlink and what is behind it",
        ],
        &[],
    ),
    (
        "storage classes, of bucket and object",
        &[
            "compat-tests/oss2/test_kinds.py::test_class_is_changed_by_a_copy_onto_itself",
            "compat-tests/oss2/test_kinds.py::test_bucket_has_a_class_of_its_own_and_counts_each",
        ],
        &["compat-tests/s3/test_kinds.py::test_classes_are_kept_told_and_changed"],
    ),
    (
        "restore of archived objects",
        &["compat-tests/oss2/test_kinds.py::test_archived_object_is_restored"],
        &["compat-tests/s3/test_kinds.py::test_archived_object_is_restored"],
    ),
    (
        "object ACL",
        &["compat-tests/oss2/test_objects.py::test_object_acl"],
        &["compat-tests/s3/test_boto3.py::test_acls"],
    ),
    (
        "object tagging: document, header on put, copy, append and multipart, directive, count",
        &["compat-tests/oss2/test_objects.py::test_tagging"],
        &["compat-tests/s3/test_boto3.py::test_tagging"],
    ),
    (
        "lifecycle: expiration by days or date, of old versions and of lone delete markers, transitions, abort of stale uploads; prefix, \
         tags, size",
        &["compat-tests/lifecycle/test_lifecycle.py::test_oss2_rules_read_back_and_end_what_they_name"],
        &["compat-tests/lifecycle/test_lifecycle.py::test_boto3_rules_read_back_and_end_what_they_name"],
    ),
    (
        "bucket tagging",
        &["compat-tests/alibabacloud-oss-v2/test_objects.py::test_bucket_tags"],
        &["compat-tests/s3/test_boto3.py::test_tagging"],
    ),
    (
        "bucket website",
        &[
            "compat-tests/oss2/test_settings.py::test_website",
            "compat-tests/oss2/test_settings.py::test_website_routing_rules",
            "src/http/tests/website.rs::root_folders_and_missing_pages_are_answered_as_set",
        ],
        &["compat-tests/s3/test_settings.py::test_website"],
    ),
    (
        "referer rules",
        &["compat-tests/oss2/test_settings.py::test_referer"],
        &["tests/it/settings.rs::presigned_reads_are_judged_by_their_page_over_s3"],
    ),
    (
        "bucket logging",
        &["compat-tests/oss2/test_settings.py::test_logging"],
        &["compat-tests/s3/test_settings.py::test_logging"],
    ),
    (
        "default encryption, `x-oss-`, `x-amz-server-side-encryption: AES256`",
        &[
            "compat-tests/oss2/test_settings.py::test_encryption",
            "compat-tests/oss2/test_encryption.py::test_an_upload_that_asks_for_aes256_is_confirmed_and_reads_back",
        ],
        &["compat-tests/s3/test_settings.py::test_encryption"],
    ),
    (
        "request payment, transfer acceleration",
        &[
            "compat-tests/oss2/test_settings.py::test_request_payment",
            "compat-tests/oss2/test_settings.py::test_transfer_acceleration",
        ],
        &["compat-tests/s3/test_settings.py::test_request_payment_and_acceleration"],
    ),
    (
        "public access block",
        &["compat-tests/oss2/test_settings.py::test_public_access_block"],
        &["compat-tests/s3/test_settings.py::test_public_access_block"],
    ),
    ("ownership controls", &[], &["compat-tests/s3/test_settings.py::test_ownership_controls"]),
    (
        "GetBucketReplication, GetBucketNotificationConfiguration",
        &[],
        &["compat-tests/s3/test_settings.py::test_what_a_look_at_the_whole_bucket_asks_for"],
    ),
    (
        "checksums: CRC32, CRC32C, CRC64NVME, SHA-1, SHA-256",
        &[],
        &[
            "compat-tests/s3/test_checksums.py::test_a_put_keeps_its_checksum_and_boto3_compares_it",
            "compat-tests/s3/test_checksums.py::test_upload_file_and_download_file",
            "compat-tests/s3/test_checksums.py::test_awscli_checksum_algorithm",
            "tests/it/s3_checksums.rs::checksums_of_parts_come_to_that_of_the_object",
        ],
    ),
    (
        "GetObjectAttributes, reads by `partNumber`",
        &[],
        &[
            "compat-tests/s3/test_boto3.py::test_attributes_and_tags",
            "compat-tests/s3/test_checksums.py::test_parts_by_hand",
            "tests/it/s3_checksums.rs::parts_of_an_object_are_read_one_by_one",
        ],
    ),
    (
        "bucket policy, policy status",
        &[
            "compat-tests/oss2/test_policy.py::test_a_policy_is_put_read_and_deleted",
            "compat-tests/oss2/test_policy.py::test_a_policy_opens_and_closes",
            "compat-tests/ali-oss/policy.test.mjs::putBucketPolicy, getBucketPolicy, deleteBucketPolicy",
            "src/http/tests/policy.rs::the_status_says_whether_a_policy_opens_the_bucket",
        ],
        &[
            "compat-tests/s3/test_policy.py::test_a_policy_is_put_read_judged_and_deleted",
            "compat-tests/s3/test_policy.py::test_a_policy_opens_and_closes",
        ],
    ),
    (
        "temporary credentials (`livebucket key session`)",
        &[
            "compat-tests/oss2/test_policy.py::test_a_temporary_credential_signs_headers_and_urls",
            "compat-tests/ali-oss/policy.test.mjs::a temporary credential in headers and URLs",
            "src/rtmp/conn/tests/authorisation.rs::a_temporary_credential_publishes_with_its_own_token_only",
        ],
        &["compat-tests/s3/test_policy.py::test_a_temporary_credential_signs_headers_and_urls"],
    ),
    (
        "live channels, VOD playlists",
        &[
            "compat-tests/ali-oss/live-channels.test.mjs::putChannel gives a publish and a play URL; getChannel echoes the configuration",
            "compat-tests/publish/test_afterwards.py::test_a_fragment_that_was_deleted_leaves_later_vod_playlists",
        ],
        &[],
    ),
    (
        "signatures",
        &[
            "compat-tests/oss2/test_objects.py::test_signed_urls",
            "compat-tests/browser/ali-oss.test.mjs::presigned URLs of OSS and of S3, by fetch",
        ],
        &[
            "tests/it/s3_signatures.rs::every_signature_puts_and_gets_by_path_and_by_host",
            "tests/it/s3_access.rs::every_form_of_signature_opens_a_private_object_and_a_wrong_one_does_not",
            "compat-tests/s3/test_boto3.py::test_presigned_urls",
        ],
    ),
];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cells of every row below the head of the table.
fn rows(readme: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim();
        let inside = line.strip_prefix('|').unwrap_or(line);
        inside.strip_suffix('|').unwrap_or(inside).split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let is_head = |line: &&str| cells(line).first().is_some_and(|cell| cell.eq_ignore_ascii_case("operation"));
    let from_head = readme.lines().skip_while(|line| !is_head(line));
    from_head.skip(2).take_while(|line| line.trim_start().starts_with('|')).map(cells).collect()
}

/// Why a proof does not hold; `None` when the test is there.
pub fn fault(proof: &str) -> Option<String> {
    let Some((file, name)) = proof.split_once("::") else { return Some(format!("`{proof}` is not FILE::NAME")) };
    let Ok(text) = fs::read_to_string(root().join(file)) else { return Some(format!("there is no file {file}")) };
    let forms = match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rs") => vec![format!("fn {name}(")],
        Some("py") => vec![format!("def {name}(")],
        _ => vec![format!("test('{name}'"), format!("test(\"{name}\""), format!("test(`{name}`")],
    };
    (!forms.iter().any(|form| text.contains(form.as_str()))).then(|| format!("{file} has no test `{name}`"))
}

#[test]
fn every_cell_that_promises_an_operation_has_a_test() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let rows = rows(&readme);
    assert!(rows.len() >= 15, "the table was not found: {rows:?}");
    let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
    for row in &rows {
        let [operation, oss, s3, _notes] = &row[..] else {
            faults.push(format!("not four cells (write `\\|` as &#124;): {row:?}"));
            continue;
        };
        if !seen.insert(operation.as_str()) {
            faults.push(format!("`{operation}` stands twice in the README"));
        }
        let Some((_, of_oss, of_s3)) = PROOFS.iter().find(|(name, ..)| name == operation) else {
            faults.push(format!("`{operation}` has no line in tests/it/readme.rs"));
            continue;
        };
        for (dialect, cell, proofs) in [("OSS", oss, of_oss), ("S3", s3, of_s3)] {
            match (cell.is_empty(), proofs.is_empty()) {
                (false, true) => faults.push(format!("`{operation}` promises {dialect} `{cell}` and names no test")),
                (true, false) => faults.push(format!("`{operation}` has tests over {dialect} and does not say so")),
                _ => {}
            }
            faults.extend(proofs.iter().filter_map(|proof| fault(proof)).map(|why| format!("`{operation}`: {why}")));
        }
    }
    let unused = PROOFS.iter().filter(|(name, ..)| !seen.contains(name));
    faults.extend(unused.map(|(name, ..)| format!("`{name}` is no row of the README's table")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_table_is_read_and_a_test_that_is_not_there_is_missed() {
    let text = "| a |\n|---|\n| x |\n\n|operation|OSS|S3|notes|\n|---|---|---|---|\n| list | yes | | n |\n|put|yes|yes||\n\nend";
    assert_eq!(rows(text), [vec!["list", "yes", "", "n"], vec!["put", "yes", "yes", ""]]);
    assert_eq!(fault(&format!("{OSS2}::test_deletes")), None);
    assert!(fault(&format!("{OSS2}::test_delete")).is_some());
    assert!(fault("tests/it/none.rs::x").is_some() && fault("no name").is_some());
}
