//! The document of a bucket's CORS rules.

use bytes::Bytes;

use super::flag;
use super::read::{Element, document};
use crate::http::oss::error::OssError;
use crate::http::xml::Writer;
use crate::limits::{OSS_CORS_RULES_MAX, OSS_XML_BYTES_MAX};
use crate::store::{CorsConfig, CorsRule};

/// `CORSConfiguration`.
pub fn cors_configuration(cors: &CorsConfig) -> Bytes {
    Writer::document("CORSConfiguration", |w| {
        for rule in &cors.rules {
            w.element("CORSRule", |w| {
                let lists = [
                    ("AllowedOrigin", &rule.allowed_origins),
                    ("AllowedMethod", &rule.allowed_methods),
                    ("AllowedHeader", &rule.allowed_headers),
                    ("ExposeHeader", &rule.expose_headers),
                ];
                for (name, values) in lists {
                    values.iter().for_each(|value| w.text(name, value));
                }
                if let Some(seconds) = rule.max_age_seconds {
                    w.text("MaxAgeSeconds", seconds);
                }
            });
        }
        w.text("ResponseVary", cors.response_vary);
    })
}

/// `CORSConfiguration`, its rules checked.
pub fn read_cors_configuration(body: &[u8]) -> Result<CorsConfig, OssError> {
    let root = document(body, "CORSConfiguration", OSS_XML_BYTES_MAX)?;
    let rules: Vec<CorsRule> = root.all("CORSRule").map(read_cors_rule).collect::<Result<_, _>>()?;
    if rules.is_empty() {
        return Err(OssError::malformed_xml());
    }
    if rules.len() > OSS_CORS_RULES_MAX {
        let count = rules.len().to_string();
        return Err(OssError::invalid_argument("There must be at most 20 CORS rules.", "CORSRule", &count));
    }
    Ok(CorsConfig { rules, response_vary: flag(&root, "ResponseVary")? })
}

fn read_cors_rule(rule: &Element) -> Result<CorsRule, OssError> {
    let words = |name| rule.all(name).map(|e| e.text.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    let read = CorsRule {
        allowed_origins: words("AllowedOrigin"),
        allowed_methods: words("AllowedMethod"),
        allowed_headers: words("AllowedHeader"),
        expose_headers: words("ExposeHeader"),
        max_age_seconds: None,
    };
    if read.allowed_origins.is_empty() || read.allowed_methods.is_empty() {
        return Err(OssError::malformed_xml());
    }
    let stars = |values: &[String], most: usize| values.iter().find(|v| v.matches('*').count() > most).cloned();
    // What no header line can carry could neither match a request nor be sent, nor be listed as it was put.
    let unsendable = |values: &[String]| values.iter().find(|v| v.chars().any(|c| !matches!(c, ' '..='~'))).cloned();
    for (name, broken) in [
        ("AllowedOrigin", unsendable(&read.allowed_origins)),
        ("AllowedHeader", unsendable(&read.allowed_headers)),
        ("ExposeHeader", unsendable(&read.expose_headers)),
        ("AllowedOrigin", stars(&read.allowed_origins, 1)),
        ("AllowedHeader", stars(&read.allowed_headers, 1)),
        ("ExposeHeader", stars(&read.expose_headers, 0)),
        ("AllowedMethod", read.allowed_methods.iter().find(|m| !CORS_METHODS.contains(&m.as_str())).cloned()),
    ] {
        if let Some(value) = broken {
            return Err(OssError::invalid_argument(&format!("The {name} of the CORS rule is invalid."), name, &value));
        }
    }
    let max_age_seconds = match rule.word_of("MaxAgeSeconds") {
        None => None,
        Some(word) => Some(word.parse().map_err(|_| {
            OssError::invalid_argument("The MaxAgeSeconds must be a number of seconds.", "MaxAgeSeconds", word)
        })?),
    };
    Ok(CorsRule { max_age_seconds, ..read })
}

const CORS_METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

#[cfg(test)]
mod tests;
