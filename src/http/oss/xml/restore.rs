//! `RestoreRequest`.

use super::OSS_XML_BYTES_MAX;
use super::read::document;
use crate::http::oss::error::OssError;
use crate::limits::{RESTORE_DAYS_DEFAULT, RESTORE_DAYS_MAX};

/// What a restore asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreRequest {
    /// How long the bytes can be read, 1 to `limits::RESTORE_DAYS_MAX`.
    pub days: u32,
}

/// `RestoreRequest`; an empty body is the default. The tier says how long a restore may take: none takes any time here.
pub fn read_restore_request(body: &[u8]) -> Result<RestoreRequest, OssError> {
    if body.trim_ascii().is_empty() {
        return Ok(RestoreRequest { days: RESTORE_DAYS_DEFAULT });
    }
    let root = document(body, "RestoreRequest", OSS_XML_BYTES_MAX)?;
    let tier = root.child("JobParameters").and_then(|parameters| parameters.word_of("Tier"));
    if tier.is_some_and(|tier| !matches!(tier, "Expedited" | "Standard" | "Bulk")) {
        return Err(OssError::malformed_xml());
    }
    let days = match root.word_of("Days") {
        None => RESTORE_DAYS_DEFAULT,
        Some(word) => {
            let days = word.parse().map_err(|_| OssError::malformed_xml())?;
            if !(1..=RESTORE_DAYS_MAX).contains(&days) {
                let message = "The Days of a restore must be an integer from 1 to 365.";
                return Err(OssError::invalid_argument(message, "Days", word));
            }
            days
        }
    };
    Ok(RestoreRequest { days })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(body: &str) -> Result<u32, &'static str> {
        read_restore_request(body.as_bytes()).map(|request| request.days).map_err(|error| error.code)
    }

    #[test]
    fn days_and_tier_are_optional() {
        let with = |inside: &str| days(&format!("<RestoreRequest>{inside}</RestoreRequest>"));
        assert_eq!(days(""), Ok(1));
        assert_eq!(days(" \r\n"), Ok(1));
        assert_eq!(with(""), Ok(1));
        assert_eq!(with("<Days>7</Days>"), Ok(7));
        assert_eq!(with("<Days>365</Days><JobParameters><Tier>Bulk</Tier></JobParameters>"), Ok(365));
        assert_eq!(with("<JobParameters><Tier>Expedited</Tier></JobParameters>"), Ok(1));
        assert_eq!(with("<JobParameters/>"), Ok(1));
        for broken in ["<Days>0</Days>", "<Days>366</Days>"] {
            assert_eq!(with(broken), Err("InvalidArgument"), "{broken}");
        }
        for broken in ["<Days>-1</Days>", "<Days>x</Days>", "<JobParameters><Tier>Slow</Tier></JobParameters>"] {
            assert_eq!(with(broken), Err("MalformedXML"), "{broken}");
        }
        assert_eq!(days("<Restore/>"), Err("MalformedXML"));
        assert_eq!(days("<RestoreRequest>"), Err("MalformedXML"));
    }
}
