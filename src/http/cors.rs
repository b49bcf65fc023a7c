//! Cross-origin access to a bucket: preflights, and the headers on every other response.
//!
//! A browser that plays a live playlist from another origin needs them on the playlist and on every fragment.
//! Fetch standard, "CORS protocol"; which rule applies is the object API's: the first that matches wins.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use crate::store::{CorsConfig, CorsRule};

/// Why a preflight is refused; each dialect has its own words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A header that every preflight has is missing.
    Incomplete(&'static str),
    /// No rule allows this method, or what else was asked with it.
    Forbidden(String),
}

/// What the rules of a bucket (`None` when there is no such bucket) answer to an `OPTIONS`. Never authenticated: a browser
/// sends no credentials with it.
pub(super) fn preflight(cors: Option<&CorsConfig>, head: &Parts) -> Result<HeaderMap, Refusal> {
    let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).ok_or(Refusal::Incomplete("Origin"))?;
    let method =
        text(header::ACCESS_CONTROL_REQUEST_METHOD).ok_or(Refusal::Incomplete("Access-Control-Request-Method"))?;
    let asked = text(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let names: Vec<&str> = asked.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();

    let rule = cors.and_then(|cors| matching(cors, origin, method, &names));
    let Some((cors, rule)) = cors.zip(rule) else { return Err(Refusal::Forbidden(method.to_owned())) };
    let mut headers = HeaderMap::new();
    allow(rule, cors.response_vary, origin, &mut headers);
    if !names.is_empty() {
        put_text(&mut headers, header::ACCESS_CONTROL_ALLOW_HEADERS, &names.join(", "));
    }
    Ok(headers)
}

/// Adds to a response what lets the page that asked read it.
pub(super) fn decorate(cors: &CorsConfig, head: &Parts, headers: &mut HeaderMap) {
    if cors.rules.is_empty() {
        return;
    }
    let origin = head.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let rule = origin.and_then(|origin| matching(cors, origin, head.method.as_str(), &[]).map(|rule| (rule, origin)));
    match rule {
        Some((rule, origin)) => allow(rule, cors.response_vary, origin, headers),
        // A cache must not hand this answer, which allows nobody, to a page that a rule allows.
        None if cors.response_vary => vary(headers),
        None => {}
    }
}

fn allow(rule: &CorsRule, response_vary: bool, origin: &str, headers: &mut HeaderMap) {
    let everybody = rule.allowed_origins.iter().any(|pattern| pattern == "*");
    put_text(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, if everybody { "*" } else { origin });
    put_text(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    if !rule.expose_headers.is_empty() {
        put_text(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &rule.expose_headers.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
    if !everybody || response_vary {
        vary(headers);
    }
}

fn vary(headers: &mut HeaderMap) {
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}

/// Text that an owner put into a rule may not fit a header; such a header is left out.
fn put_text(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// The first rule that allows the origin, the method and every named request header.
fn matching<'a>(cors: &'a CorsConfig, origin: &str, method: &str, names: &[&str]) -> Option<&'a CorsRule> {
    cors.rules.iter().find(|rule| {
        let origin_allowed = rule.allowed_origins.iter().any(|pattern| matches(pattern, origin));
        let method_allowed = rule.allowed_methods.iter().any(|allowed| allowed == method);
        let allowed = |name: &&str| {
            let name = name.to_ascii_lowercase();
            rule.allowed_headers.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &name))
        };
        origin_allowed && method_allowed && names.iter().all(allowed)
    })
}

/// Whether `text` fits `pattern`, in which at most one `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CorsRule {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        CorsRule {
            allowed_origins: owned(origins),
            allowed_methods: owned(methods),
            allowed_headers: owned(headers),
            expose_headers: vec!["ETag".into(), "x-oss-request-id".into()],
            max_age_seconds: Some(600),
        }
    }

    #[test]
    fn one_star_stands_for_any_run() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*", "https://a.example", true),
            ("https://*.example", "https://a.example", true),
            ("https://*.example", "https://.example", true),
            ("https://*.example", "https://example", false),
            ("ab*ba", "aba", false),
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://a.example:80", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_rule_that_allows_everything_wins() {
        let cors = CorsConfig {
            rules: vec![rule(&["https://a.example"], &["GET"], &[]), rule(&["*"], &["GET", "PUT"], &["x-oss-*"])],
            response_vary: false,
        };
        let found = |origin, method, names: &[&str]| {
            matching(&cors, origin, method, names).map(|rule| rule.allowed_origins[0].as_str())
        };
        assert_eq!(found("https://a.example", "GET", &[]), Some("https://a.example"));
        assert_eq!(found("https://a.example", "PUT", &[]), Some("*"));
        assert_eq!(found("https://a.example", "GET", &["X-OSS-Meta-A"]), Some("*"));
        assert_eq!(found("https://b.example", "PUT", &["range"]), None);
        assert_eq!(found("https://b.example", "DELETE", &[]), None);
    }

    fn decorated(cors: &CorsConfig, origin: Option<&str>) -> Vec<(String, String)> {
        let mut request = http::Request::get("/k");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let mut headers = HeaderMap::new();
        decorate(cors, &head, &mut headers);
        headers.iter().map(|(n, v)| (n.to_string(), v.to_str().expect("text").to_owned())).collect()
    }

    #[test]
    fn a_response_says_what_its_rule_allows() {
        let mut cors = CorsConfig { rules: vec![rule(&["https://*.example"], &["GET"], &[])], response_vary: false };
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
        };
        assert_eq!(
            decorated(&cors, Some("https://a.example")),
            pairs(&[
                ("access-control-allow-origin", "https://a.example"),
                ("access-control-allow-methods", "GET"),
                ("access-control-expose-headers", "ETag, x-oss-request-id"),
                ("access-control-max-age", "600"),
                ("vary", "Origin"),
            ])
        );
        assert_eq!(decorated(&cors, Some("https://b.test")), pairs(&[]));
        assert_eq!(decorated(&cors, None), pairs(&[]));
        cors.response_vary = true;
        assert_eq!(decorated(&cors, None), pairs(&[("vary", "Origin")]));
        cors = CorsConfig { rules: vec![rule(&["*"], &["GET"], &[])], response_vary: false };
        assert_eq!(decorated(&cors, Some("https://b.test"))[0].1, "*");
        assert!(!decorated(&cors, Some("https://b.test")).iter().any(|(name, _)| name == "vary"));
    }
}
