//! Every bound is one that holds: each constant of `src/limits.rs` that somebody outside could run into names the test that
//! meets it, at its edge where it has one; the others are listed as what they are. So does each story of `docs/doors.md`.

use std::collections::BTreeSet;
use std::fs;

use crate::readme::{fault, root};

const CROWD: &str = "src/net/crowd/tests.rs";
const LISTEN: &str = "src/net/listen/tests.rs";
const GUARD: &str = "src/net/guard/tests.rs";
const CONFIG: &str = "src/config.rs";
const CONN: &str = "src/rtmp/conn/tests.rs";
const NETWORK: &str = "src/rtmp/conn/tests/network.rs";
const BOUNDS: &str = "src/http/tests/bounds.rs";
const TRANSPORT: &str = "src/http/tests/transport.rs";
const XML: &str = "src/http/oss/xml/tests.rs";
const PARTS: &str = "src/http/oss/xml/multipart/tests.rs";
const FORM: &str = "src/http/form/reader/tests.rs";
const SEGMENTER: &str = "src/live/segmenter/tests.rs";
const BROADCAST: &str = "src/live/broadcast/tests.rs";
const SLOW_DISK: &str = "tests/disk/faults/slow.rs";
const OBJECTS: &str = "src/store/objects/tests.rs";
const QUOTAS: &str = "src/store/objects/tests/quotas.rs";
const UPLOADS: &str = "src/store/conformance/meta/uploads.rs";
const PIECES: &str = "src/store/blob/fs/pieces.rs";
const WEBSITE: &str = "src/http/oss/xml/website/tests.rs";
const SETTINGS: &str = "src/http/oss/xml/settings/tests.rs";
const POLICY: &str = "src/http/tests/policy.rs";

/// Constant, file and test.
const PROOFS: &[(&str, &str, &str)] = &[
    ("SOCKETS_MAX", LISTEN, "with_every_place_taken_the_next_waits_and_the_admin_is_served_all_the_same"),
    ("SOCKETS_CONFIGURED_MAX", CONFIG, "bad_values_are_named"),
    ("ADMIN_SOCKETS_MAX", LISTEN, "with_every_place_taken_the_next_waits_and_the_admin_is_served_all_the_same"),
    ("FILE_DESCRIPTORS_KEPT", "src/net/descriptors.rs", "files_keep_their_share_of_the_descriptors"),
    ("SOCKETS_PER_ADDRESS_MAX", LISTEN, "an_address_has_so_many_sockets_and_the_next_is_closed_before_a_byte_is_read"),
    ("SOURCE_PREFIX_V6", CROWD, "ipv6_is_counted_by_64_bits_and_ipv4_whole"),
    ("REFUSALS_PER_SECOND", CROWD, "a_burst_is_answered_then_so_many_a_second_and_no_more"),
    ("REFUSALS_PER_SECOND_MAX", CONFIG, "bad_values_are_named"),
    ("REFUSAL_BURST_SECONDS", CROWD, "a_burst_is_answered_then_so_many_a_second_and_no_more"),
    ("REFUSAL_PAUSE", "src/http/tests/crowd.rs", "a_flood_of_bad_signatures_is_slowed_and_told_so_in_both_dialects"),
    ("REFUSAL_SOURCES_MAX", CROWD, "who_comes_from_many_addresses_cannot_push_his_debt_out"),
    ("CROWD_REPORT_INTERVAL", CROWD, "a_flood_is_one_line_a_period"),
    ("FIRST_BYTE_TIMEOUT", LISTEN, "a_socket_that_says_nothing_or_drips_its_tls_handshake_is_closed_in_its_time"),
    ("TLS_HANDSHAKE_TIMEOUT", LISTEN, "a_socket_that_says_nothing_or_drips_its_tls_handshake_is_closed_in_its_time"),
    ("OUTBOUND_READ_BUFFER_MAX", GUARD, "an_answer_is_bounded_in_bytes_and_must_be_one"),
    ("RTMP_CONNECT_TIMEOUT", NETWORK, "a_handshake_that_drips_is_closed_in_its_time"),
    ("RTMP_PUBLISH_TIMEOUT", CONN, "a_peer_that_talks_but_never_publishes_is_closed"),
    ("RTMP_READ_TIMEOUT", CONN, "a_silent_publisher_is_noticed_within_thirty_seconds"),
    ("RTMP_WRITE_TIMEOUT", NETWORK, "half_open_peers_are_ended"),
    ("RTMP_READ_TICK", "src/rtmp/conn/tests/resting.rs", "what_a_publisher_sends_is_taken_at_the_tick"),
    ("HTTP_REQUESTS_MAX", TRANSPORT, "one_request_too_many_is_told_to_retry"),
    ("HTTP_HEAD_BYTES_MAX", BOUNDS, "a_head_has_so_many_bytes_and_no_more"),
    ("HTTP_HEAD_TIMEOUT", TRANSPORT, "a_head_that_drips_and_an_idle_socket_are_closed_in_time"),
    ("HTTP_IDLE_TIMEOUT", TRANSPORT, "a_head_that_drips_and_an_idle_socket_are_closed_in_time"),
    ("HTTP_REQUESTS_PER_SOCKET_MAX", BOUNDS, "a_socket_carries_so_many_requests_and_says_which_is_the_last"),
    ("HTTP_BODY_STALL", TRANSPORT, "a_body_that_stalls_is_given_up"),
    ("HTTP_BODY_WINDOW", TRANSPORT, "a_body_that_drips_is_given_up"),
    ("HTTP_BODY_WINDOW_BYTES_MIN", TRANSPORT, "a_body_that_drips_is_given_up"),
    ("HTTP_WRITE_STALL", TRANSPORT, "a_client_that_reads_nothing_is_given_up"),
    ("HTTP_DRAIN_BYTES_MAX", TRANSPORT, "a_refused_upload_keeps_its_socket_when_its_body_is_short"),
    ("HTTP_STOP_GRACE", TRANSPORT, "stopping_finishes_what_is_in_flight_and_closes_what_is_idle"),
    ("USER_METADATA_BYTES_MAX", BOUNDS, "user_metadata_has_so_many_bytes_and_no_more"),
    ("S3_USER_METADATA_BYTES_MAX", BOUNDS, "user_metadata_has_so_many_bytes_and_no_more"),
    ("S3_PART_BYTES_MIN", "tests/it/s3_uploads.rs", "parts_become_an_object_that_both_dialects_read"),
    ("CALLBACK_URLS_MAX", "src/http/oss/callback/tests.rs", "what_is_no_configuration_has_its_number"),
    ("CALLBACK_TIMEOUT", "src/http/tests/callback.rs", "a_callback_that_fails_is_told_and_the_object_stays"),
    ("CALLBACK_ANSWER_BYTES_MAX", "src/http/tests/callback.rs", "a_callback_that_fails_is_told_and_the_object_stays"),
    ("CALLBACK_BODY_BYTES_MAX", "src/http/oss/callback/tests.rs", "a_body_is_bounded_while_it_is_filled"),
    ("HLS_SIGN_BYTES_MAX", BOUNDS, "a_playlist_to_be_signed_has_so_many_bytes_and_no_more"),
    ("OSS_TRAFFIC_LIMIT_MIN", "src/http/tests/pace.rs", "a_limit_out_of_bounds_is_refused"),
    ("OSS_TRAFFIC_LIMIT_MAX", "src/http/tests/pace.rs", "a_limit_out_of_bounds_is_refused"),
    ("FORM_BOUNDARY_BYTES_MAX", FORM, "boundaries"),
    ("FORM_PREAMBLE_BYTES_MAX", FORM, "what_is_no_form_is_malformed_and_what_is_too_much_is_refused_early"),
    ("FORM_PART_HEAD_BYTES_MAX", FORM, "what_is_no_form_is_malformed_and_what_is_too_much_is_refused_early"),
    ("FORM_FIELDS_MAX", FORM, "a_form_has_so_many_fields_and_no_more"),
    ("FORM_FIELDS_BYTES_MAX", FORM, "what_is_no_form_is_malformed_and_what_is_too_much_is_refused_early"),
    ("FORM_REST_BYTES_MAX", FORM, "what_is_no_form_is_malformed_and_what_is_too_much_is_refused_early"),
    // What a publisher may have waiting.
    ("STEPS_WAITING_MAX", SLOW_DISK, "a_write_that_hangs_holds_its_publisher_within_bounds_and_nobody_else"),
    ("STEPS_BYTES_MAX", SLOW_DISK, "a_write_that_hangs_holds_its_publisher_within_bounds_and_nobody_else"),
    (
        "PIECE_BUFFERS_KEPT",
        "src/live/broadcast/pieces.rs",
        "a_piece_holds_what_was_filled_in_and_gives_back_an_empty_buffer_of_bounded_size",
    ),
    ("FRAGMENT_BYTES_MAX", SEGMENTER, "byte_cap_cuts_anywhere"),
    ("FRAGMENTS_WAITING", BROADCAST, "commits_do_not_stop_media_until_two_are_in_flight"),
    ("STORE_STALL", BROADCAST, "a_stalled_write_ends_the_connection"),
    ("FAILED_FRAGMENTS_MAX", BROADCAST, "three_failures_in_a_row_end_the_connection"),
    ("HELD_UNITS_MAX", SEGMENTER, "a_frozen_clock_cannot_hold_audio_without_bound"),
    ("HELD_BYTES_MAX", "src/codec/flv/tests.rs", "units_without_a_picture_are_held_up_to_a_bound"),
    // What clients may store, and have stored for them.
    ("APPENDED_INLINE_BYTES_MAX", OBJECTS, "many_small_appends_do_not_pile_up_in_metadata"),
    ("CONNECTION_HISTORY_KEPT", "src/store/conformance/meta/live.rs", "history_keeps_the_newest"),
    ("META_QUEUE_MAX", "src/store/meta/sqlite/tests/writer.rs", "full_queue_makes_the_caller_wait_to_its_deadline"),
    ("META_QUEUE_WAIT", "src/store/meta/sqlite/tests/writer.rs", "full_queue_makes_the_caller_wait_to_its_deadline"),
    (
        "META_WAL_PAGES_MAX",
        "src/store/meta/sqlite/folding.rs",
        "a_log_that_is_written_without_a_pause_stays_short_and_nothing_is_lost",
    ),
    ("OBJECT_BYTES_MAX", OBJECTS, "a_body_past_the_largest_object_is_refused"),
    ("FREE_SPACE_FLOOR", QUOTAS, "below_the_floor_writes_are_refused_and_reading_and_deleting_go_on"),
    ("FREE_SPACE_LOOK", QUOTAS, "what_is_written_between_two_looks_counts"),
    ("PART_NUMBER_MAX", "src/store/upload/tests.rs", "more_parts_than_there_are_numbers_are_refused"),
    ("PART_EXTENTS_SHARED_MAX", "src/store/upload/tests.rs", "parts_copied_from_a_finely_cut_object_are_written_anew"),
    ("COPY_ONTO_ITSELF_TRIES", "src/http/tests/object.rs", "a_copy_onto_itself_does_not_bring_back_what_was_replaced"),
    ("COMPLETED_UPLOAD_KEPT", UPLOADS, "repeated_completion_is_forgotten_after_its_time"),
    ("READ_PIECES_LARGE_MAX", PIECES, "lent_and_kept_memory_is_bounded"),
    ("READ_PIECES_KEPT_BYTES", PIECES, "lent_and_kept_memory_is_bounded"),
    ("FILE_BYTES_BEHIND", SLOW_DISK, "a_write_that_hangs_holds_its_publisher_within_bounds_and_nobody_else"),
    ("OBJECT_READ_MAX", OBJECTS, "a_read_ends_when_it_has_lasted_longer_than_garbage_waits"),
    ("LIFECYCLE_RULES_MAX", "src/store/lifecycle/tests.rs", "a_set_of_rules_is_checked"),
    ("LIFECYCLE_ID_CHARS_MAX", "src/store/lifecycle/tests.rs", "a_set_of_rules_is_checked"),
    ("LIFECYCLE_XML_BYTES_MAX", BOUNDS, "a_document_has_so_many_bytes_and_no_more"),
    ("LIFECYCLE_XML_ELEMENTS_MAX", BOUNDS, "a_document_has_so_many_elements_and_no_more"),
    // Documents.
    ("RETENTION_DAYS_MAX", "src/http/s3/lock.rs", "a_configuration_says_one_period_within_its_bounds"),
    ("OSS_DELETE_XML_BYTES_MAX", BOUNDS, "a_document_has_so_many_bytes_and_no_more"),
    ("OSS_DELETE_KEYS_MAX", "src/http/tests/object.rs", "many_objects_are_deleted_at_once"),
    (
        "OSS_PART_BYTES_MIN",
        "src/http/tests/multipart.rs",
        "completions_that_cannot_be_are_refused_and_leave_the_upload_open",
    ),
    ("OSS_COMPLETE_PARTS_MAX", PARTS, "completions"),
    ("OSS_COMPLETE_XML_BYTES_MAX", BOUNDS, "a_document_has_so_many_bytes_and_no_more"),
    ("OSS_COMPLETE_XML_ELEMENTS_MAX", PARTS, "completions"),
    ("ANONYMOUS_DOCUMENT_BYTES_MAX", BOUNDS, "a_caller_who_has_proved_nothing_has_a_short_document_held_at_most"),
    ("OSS_CORS_RULES_MAX", "src/http/oss/xml/cors/tests.rs", "broken_cors_rules"),
    ("RESTORE_DAYS_MAX", "src/http/tests/kinds.rs", "a_restore_of_what_needs_none_is_refused"),
    ("OSS_POLICY_BYTES_MAX", POLICY, "a_policy_that_cannot_be_carried_out_is_refused_and_the_old_one_stays"),
    ("S3_POLICY_BYTES_MAX", POLICY, "a_policy_that_cannot_be_carried_out_is_refused_and_the_old_one_stays"),
    ("OBJECT_TAGS_MAX", "tests/it/s3.rs", "tags_put_over_either_dialect_read_back_over_the_other"),
    ("OSS_BUCKET_TAGS_MAX", BOUNDS, "tags_are_so_many_and_no_more"),
    ("S3_BUCKET_TAGS_MAX", BOUNDS, "tags_are_so_many_and_no_more"),
    ("TAG_KEY_CHARS_MAX", "src/store/tags.rs", "sets_are_checked_by_count_length_characters_and_repetition"),
    ("TAG_VALUE_CHARS_MAX", "src/store/tags.rs", "sets_are_checked_by_count_length_characters_and_repetition"),
    ("OSS_WEBSITE_RULES_MAX", WEBSITE, "what_cannot_be_or_is_not_done_is_refused"),
    ("S3_WEBSITE_RULES_MAX", "src/http/s3/website.rs", "what_cannot_be_is_refused"),
    ("WEBSITE_BYTES_MAX", WEBSITE, "what_cannot_be_or_is_not_done_is_refused"),
    ("REFERER_BYTES_MAX", "src/store/settings/referer.rs", "a_hostile_header_costs_no_more_than_its_length"),
    ("REFERER_LISTS_BYTES_MAX", SETTINGS, "referer_documents_that_are_refused"),
    ("REFERER_LISTS_MAX", SETTINGS, "referer_documents_that_are_refused"),
    ("LOG_PREFIX_BYTES_MAX", SETTINGS, "logging_documents"),
    ("OSS_XML_BYTES_MAX", BOUNDS, "a_document_has_so_many_bytes_and_no_more"),
    ("OSS_XML_DEPTH_MAX", XML, "what_is_no_document_is_malformed"),
    ("OSS_XML_ELEMENTS_MAX", XML, "what_is_no_document_is_malformed"),
];

/// Nothing that a client at a door could run into: sizes of reads, paces, patience with what this side does itself, what it
/// remembers to be quicker and can forget, what only the operator asks for, and the door outward.
const PACES: &[&str] = &[
    "ACCEPT_RETRY",
    "OUTBOUND_REQUESTS_MAX",
    "OUTBOUND_LOOKUPS_MAX",
    "OUTBOUND_LOOKUP_TIMEOUT",
    "OUTBOUND_CONNECT_TIMEOUT",
    "OUTBOUND_ADDRESSES_TRIED_MAX",
    "SHUTDOWN_GRACE",
    "RTMP_LINGER",
    "RTMP_COMMAND_BYTES",
    "RTMP_READ_BYTES",
    "RTMP_READ_LOW_WATER",
    "RTMP_SILENT_TICKS",
    "RTMP_BUCKETS_TRIED_MAX",
    "HTTP_READ_BUFFER_MAX",
    "HTTP_RETRY_AFTER",
    "HTTP_DRAIN_TIMEOUT",
    "TRAFFIC_CATCH_UP",
    "TRAFFIC_PIECE_MIN",
    "PIECE_BYTES_MAX",
    "PIECE_BYTES_MIN",
    "PIECE_BUFFER_BYTES",
    "NAME_STEPS_MAX",
    "STAT_INTERVAL",
    "STAT_WINDOW",
    "END_RETRY",
    "INLINE_BYTES_MAX",
    "META_BUSY_TIMEOUT",
    "META_SCANS_MAX",
    "META_READERS_KEPT",
    "META_WRITER_CACHE_KIB",
    "META_READER_CACHE_KIB",
    "META_STATEMENTS_CACHED",
    "META_CACHE_SLOTS",
    "META_CACHE_SHELVES",
    "META_CACHE_OBJECTS",
    "META_CACHE_OBJECT_BYTES",
    "META_CACHE_BUCKETS",
    "META_CACHE_BUCKET_BYTES",
    "META_CACHE_KEYS",
    "META_CACHE_KEY_BYTES",
    "META_WAL_PAGES",
    "META_FOLD_PASSES",
    "META_FOLD_REST_PAGES",
    "META_WAL_BYTES_KEPT",
    "COMPLETED_UPLOADS_FORGOTTEN",
    "BODY_PIECE_BYTES",
    "HASHED_HERE_BYTES",
    "HASH_BURST_BYTES",
    "HASH_WAITING_BYTES",
    "READ_PIECE_BYTES",
    "OPEN_FILES_MAX",
    "BLOB_GATHER_BYTES",
    "FILE_READS_MAX",
    "FILE_WRITES_MAX",
    "FILE_THREADS_BEHIND",
    "WRITEBACK_BYTES",
    "WRITEBACK_BYTES_LARGE",
    "SHORT_TURN",
    "FILES_BEHIND_A_THREAD",
    "FILE_THREAD_REST",
    "DURABLE_DIRECTORIES_MAX",
    "GARBAGE_GRACE",
    "LIFECYCLE_PAGE",
    "LIFECYCLE_PAUSE",
    "LIFECYCLE_FIRST_AFTER",
    "LIFECYCLE_INTERVAL",
    "COLLECT_INTERVAL",
    "COLLECT_PAGE",
    "SWEEP_INTERVAL",
    "SWEEP_FIRST_AFTER",
    "SWEEP_GRACE",
    "SWEEP_PAGE",
    "STARTUP_SWEEP_REACH",
    "SETTLE_GRACE",
    "SHORT_EXTENT_BYTES",
    "FINELY_CUT_PAIRS",
    "COMPACTED_BYTES_MAX",
    "COMPACT_INTERVAL",
    "COMPACT_ROUND_OBJECTS",
    "COMPACT_ROUND_BYTES",
    "COMPACT_DAMAGED_MAX",
    "CHECK_PAGE",
    "CHECK_FINDINGS_MAX",
    "OSS_OBJECT_BYTES_MAX",
    "RESTORE_DAYS_DEFAULT",
    "SESSION_POLICY_BYTES_MAX",
    "POLICIES_KEPT",
    "SESSION_DEFAULT",
    "SESSION_MIN",
    "SESSION_MAX",
    "SESSION_KEPT",
    "SESSIONS_FORGOTTEN",
];

/// The constants of the file.
fn bounds(text: &str) -> Vec<&str> {
    let declared = text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'));
    declared.map(|(name, _)| name).collect()
}

#[test]
fn every_bound_names_its_test() {
    let text = fs::read_to_string(root().join("src/limits.rs")).expect("the bounds");
    let all: Vec<&str> = bounds(&text);
    assert!(all.len() > 150, "{all:?}");
    let proved: BTreeSet<&str> = PROOFS.iter().map(|(constant, ..)| *constant).chain(PACES.iter().copied()).collect();
    let stray = PACES.iter().filter(|name| !all.contains(*name) || PROOFS.iter().any(|(proof, ..)| proof == *name));
    let mut faults: Vec<String> = stray.map(|name| format!("`{name}` is no bound, or has a test")).collect();
    let unproved = all
        .iter()
        .filter(|constant| !proved.contains(*constant))
        .map(|constant| format!("`{constant}` names no test in tests/it/limits.rs"));
    faults.extend(unproved);
    for (constant, file, test) in PROOFS {
        if !text.contains(&format!("pub const {constant}:")) {
            faults.push(format!("`{constant}` is no bound"));
        }
        faults.extend(fault(&format!("{file}::{test}")).map(|why| format!("`{constant}`: {why}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

const CHUNKS: &str = "src/codec/rtmp/chunk/tests.rs";
const PEER: &str = "src/codec/rtmp/server/tests.rs";
const ENCODERS: &str = "src/codec/rtmp/server/tests/encoders.rs";
const MISUSE: &str = "src/codec/rtmp/server/tests/misuse.rs";
const DOORS: &str = "tests/it/doors.rs";

/// The beginning of a story in `docs/doors.md`, and its tests.
const STORIES: &[(&str, &[(&str, &str)])] = &[
    (
        "chunk streams interleaved",
        &[
            ("src/codec/rtmp/chunk/tests/random.rs", "all_four_types_in_every_order"),
            (CHUNKS, "audio_between_the_chunks_of_a_video_message"),
            (CHUNKS, "chunk_size_changes_between_two_chunks_of_a_message"),
            (ENCODERS, "our_client_publishes_in_both_handshakes_and_all_chunk_sizes"),
        ],
    ),
    ("Abort", &[(CHUNKS, "abort_drops_the_unfinished_message_and_keeps_the_header")]),
    (
        "extended timestamps",
        &[(CHUNKS, "extended_timestamps_in_both_habits"), (CHUNKS, "extended_deltas_in_all_habits")],
    ),
    ("no acknowledgement", &[(MISUSE, "a_client_that_never_acknowledges_is_served_all_the_same")]),
    ("`releaseStream`", &[(MISUSE, "commands_left_out_repeated_or_out_of_order")]),
    (
        "transaction id 0",
        &[
            (PEER, "transaction_id_0_is_answered_where_a_publish_needs_the_answer"),
            (PEER, "calls_that_expect_no_answer_get_none"),
        ],
    ),
    (
        "a second stream on one socket",
        &[
            (MISUSE, "a_second_publish_is_refused_and_the_first_goes_on"),
            (MISUSE, "publish_twice_on_one_stream"),
            (PEER, "a_socket_may_publish_again"),
        ],
    ),
    ("AMF3 commands", &[(ENCODERS, "flash_publishes_in_amf3")]),
    (
        "strings that are not UTF-8",
        &[
            (MISUSE, "strings_that_are_not_utf8_are_read_with_what_is_broken_replaced"),
            (CONN, "a_name_that_is_not_utf8_is_refused_like_any_other_that_is_none"),
        ],
    ),
    ("values nested", &[(MISUSE, "values_nest_so_deep_and_no_deeper")]),
    (
        "FourCC",
        &[
            ("src/rtmp/conn/tests/media.rs", "unsupported_video_is_rejected_by_its_name"),
            (PEER, "connect_echoes_the_encoding_and_offers_h264_alone"),
        ],
    ),
    ("a message over", &[(CHUNKS, "limits_say_where_and_what"), (CONN, "ends_of_a_publish_have_their_causes")]),
    ("byte by byte", &[(NETWORK, "a_stream_that_comes_byte_by_byte_is_the_same_stream")]),
    ("a stall of 1 s", &[(NETWORK, "a_stall_of_a_second_or_ten_is_nothing_and_one_of_a_minute_ends_the_publish")]),
    ("a stall of 60 s", &[(NETWORK, "a_stall_of_a_second_or_ten_is_nothing_and_one_of_a_minute_ends_the_publish")]),
    ("a peer that is gone", &[(CONN, "a_silent_publisher_is_noticed_within_thirty_seconds")]),
    ("a peer that has closed", &[(NETWORK, "half_open_peers_are_ended")]),
    ("a reset", &[(NETWORK, "resets_at_every_message_boundary_and_inside_every_message")]),
    (
        "a return while",
        &[(NETWORK, "a_return_within_the_patience_for_the_dead_socket_is_refused_and_after_it_goes_on")],
    ),
    (
        "a return after",
        &[
            (NETWORK, "a_return_within_the_patience_for_the_dead_socket_is_refused_and_after_it_goes_on"),
            ("tests/it/live.rs", "a_reconnect_goes_on_with_the_sequence_behind_a_discontinuity"),
        ],
    ),
    ("two publishers", &[(NETWORK, "of_two_publishers_that_race_a_thousand_times_exactly_one_wins")]),
    ("a flood", &[(DOORS, "a_flood_of_refused_publishes_and_bad_signatures_leaves_publishers_unharmed")]),
    ("ten thousand idle", &[(DOORS, "ten_thousand_idle_sockets_cost_little_and_nobody_else")]),
];

/// The first cell of every row of the tables that tell stories.
fn told(page: &str) -> Vec<&str> {
    let mut lines = page.lines();
    let mut stories = Vec::new();
    while lines.by_ref().any(|line| line.starts_with("| story |")) {
        let rows = lines.by_ref().skip(1).take_while(|line| line.starts_with('|'));
        stories.extend(rows.filter_map(|row| row.split('|').nth(1)).map(str::trim));
    }
    stories
}

#[test]
fn every_story_of_the_doors_names_its_tests() {
    let page = fs::read_to_string(root().join("docs/doors.md")).expect("the page");
    let told = told(&page);
    let mut faults = Vec::new();
    for story in &told {
        if STORIES.iter().filter(|(begin, _)| story.starts_with(begin)).count() != 1 {
            faults.push(format!("`{story}` has no line, or more than one, in tests/it/limits.rs"));
        }
    }
    for (begin, tests) in STORIES {
        if !told.iter().any(|story| story.starts_with(begin)) {
            faults.push(format!("docs/doors.md does not tell of `{begin}`"));
        }
        let proofs = tests.iter().map(|(file, test)| format!("{file}::{test}"));
        faults.extend(proofs.filter_map(|proof| fault(&proof)).map(|why| format!("`{begin}`: {why}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
