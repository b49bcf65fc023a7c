//! The documents of the OSS dialect that clients send; what we read of a setting, we write so that it reads the same.

use livebucket::http::oss::xml;
use livebucket::store::DeleteOutcome;

/// Takes one input.
pub fn run(data: &[u8]) {
    if let Ok(settings) = xml::read_live_channel_configuration(data) {
        let _ = settings.validate();
    }
    if let Ok(request) = xml::read_delete(data) {
        assert!((1..=1_000).contains(&request.targets.len()));
        let deleted = |(key, version)| xml::Deleted { key, version, outcome: DeleteOutcome::Deleted };
        let deleted: Vec<_> = request.targets.into_iter().map(deleted).collect();
        let _ = xml::delete_result(&deleted, true);
    }
    let _ = xml::read_create_bucket_configuration(data);
    if let Ok(cors) = xml::read_cors_configuration(data) {
        let again = xml::read_cors_configuration(&xml::cors_configuration(&cors));
        // Escaping may lengthen a document over the bound of 64 KiB.
        assert!(again.is_ok_and(|again| again == cors) || data.len() > 8 * 1024);
    }
    if let Ok(website) = xml::read_website_configuration(data) {
        let written = xml::website_configuration(&website);
        let again = xml::read_website_configuration(&written);
        assert!(again.is_ok_and(|again| xml::website_configuration(&again) == written) || data.len() > 8 * 1024);
    }
    if let Ok(rules) = xml::read_referer_configuration(data) {
        let written = xml::referer_configuration(&rules);
        let again = xml::read_referer_configuration(&written);
        assert!(again.is_ok_and(|again| xml::referer_configuration(&again) == written) || data.len() > 8 * 1024);
        let _ = rules.judge(data);
    }
    let _ = xml::read_bucket_logging_status(data);
    let _ = xml::read_server_side_encryption_rule(data);
    let _ = xml::read_request_payment_configuration(data);
    let _ = xml::read_transfer_acceleration_configuration(data);
    let _ = xml::read_public_access_block_configuration(data);
}
