//! The website of a bucket as S3 writes it. It is served to whoever sends nothing of this dialect; see the other one.

use s3s::dto::{
    Condition, ErrorDocument as WireError, GetBucketWebsiteOutput, IndexDocument as WireIndex,
    Protocol as WireProtocol, Redirect as WireRedirect, RedirectAllRequestsTo, RoutingRule as WireRule,
    WebsiteConfiguration,
};

use super::error::S3Fault;
use super::exchange::Ask;
use super::settings::{put, writable};
use crate::auth::access::Action;
use crate::http::headers::is_host;
use crate::http::server::Answer;
use crate::limits;
use crate::store::settings::{
    ErrorDocument, IndexDocument, NewKey, Protocol, Redirect, RedirectAll, RoutingCondition, RoutingRule, Unslashed,
    Website,
};
use crate::store::{BucketSetting, ObjectKey};

/// What a rule's redirect is sent with when it does not say.
const REDIRECT_STATUS: u16 = 301;

pub(super) async fn get(ask: &Ask, name: &str) -> Result<GetBucketWebsiteOutput, S3Fault> {
    let bucket = ask.bucket_for(name, Action::ReadSettings).await?;
    let missing = || S3Fault::new("NoSuchWebsiteConfiguration").with("BucketName", name);
    Ok(wire(bucket.settings.website.clone().ok_or_else(missing)?))
}

pub(super) async fn put_website(ask: &Ask, name: &str, configuration: WebsiteConfiguration) -> Result<Answer, S3Fault> {
    let bucket = writable(ask, name).await?;
    let website = read(configuration)?;
    put(ask, &bucket, BucketSetting::Website(Some(Box::new(website)))).await
}

// ---- writing -------------------------------------------------------------------------------------------------

/// Rules whose condition this dialect has no words for are left out: with a part of it they would say something else.
fn wire(website: Website) -> GetBucketWebsiteOutput {
    let says = |rule: &RoutingRule| rule.condition.key_suffix.is_none() && rule.condition.headers.is_empty();
    let rules: Vec<WireRule> = website.rules.into_iter().filter(says).map(wire_rule).collect();
    GetBucketWebsiteOutput {
        error_document: website.error.map(|error| WireError { key: error.key }),
        index_document: website.index.map(|index| WireIndex { suffix: index.suffix }),
        redirect_all_requests_to: website
            .redirect_all
            .map(|all| RedirectAllRequestsTo { host_name: all.host_name, protocol: all.protocol.map(wire_protocol) }),
        routing_rules: (!rules.is_empty()).then_some(rules),
    }
}

fn wire_rule(rule: RoutingRule) -> WireRule {
    let RoutingRule { condition, redirect, .. } = rule;
    let (whole, prefix) = match redirect.key {
        None => (None, None),
        Some(NewKey::Whole(key)) => (Some(key), None),
        Some(NewKey::Prefix(prefix)) => (None, Some(prefix)),
    };
    WireRule {
        condition: (condition != RoutingCondition::default()).then(|| Condition {
            http_error_code_returned_equals: condition.status.map(|status| status.to_string()),
            key_prefix_equals: condition.key_prefix,
        }),
        redirect: WireRedirect {
            host_name: redirect.host_name,
            http_redirect_code: redirect.status_stated.then(|| redirect.status.to_string()),
            protocol: redirect.protocol.map(wire_protocol),
            replace_key_prefix_with: prefix,
            replace_key_with: whole,
        },
    }
}

fn wire_protocol(protocol: Protocol) -> WireProtocol {
    WireProtocol::from_static(protocol.text())
}

// ---- reading -------------------------------------------------------------------------------------------------

fn read(configuration: WebsiteConfiguration) -> Result<Website, S3Fault> {
    let WebsiteConfiguration { error_document, index_document, redirect_all_requests_to, routing_rules } =
        configuration;
    let rules = routing_rules.unwrap_or_default();
    if let Some(all) = redirect_all_requests_to {
        if error_document.is_some() || index_document.is_some() || !rules.is_empty() {
            let message = "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
            return Err(S3Fault::new("InvalidRequest").saying(message));
        }
        let redirect_all = RedirectAll { protocol: read_protocol(all.protocol)?, host_name: host(all.host_name)? };
        return Ok(Website { redirect_all: Some(redirect_all), ..Website::default() });
    }
    let Some(index) = index_document else {
        let message = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
        return Err(S3Fault::invalid_argument(message, "IndexDocument", ""));
    };
    if index.suffix.is_empty() || index.suffix.contains('/') {
        let message = "The IndexDocument Suffix is not well formed";
        return Err(S3Fault::invalid_argument(message, "IndexDocument", &index.suffix));
    }
    if let Some(error) = error_document.as_ref().filter(|error| ObjectKey::new(error.key.as_bytes()).is_none()) {
        return Err(S3Fault::invalid_argument("The ErrorDocument Key is not valid", "ErrorDocument", &error.key));
    }
    if rules.len() > limits::S3_WEBSITE_RULES_MAX {
        let (count, most) = (rules.len(), limits::S3_WEBSITE_RULES_MAX);
        let message = format!("{count} routing rules provided, the number of routing rules is limited to {most}.");
        return Err(S3Fault::new("InvalidRequest").saying(message));
    }
    let website = Website {
        redirect_all: None,
        // Folders have their own index, and one that is asked for without its slash is sent there.
        index: Some(IndexDocument { suffix: index.suffix, in_folders: true, unslashed: Unslashed::Redirect }),
        error: error_document.map(|error| ErrorDocument { key: error.key, status: None }),
        rules: rules.into_iter().map(read_rule).collect::<Result<_, _>>()?,
    };
    if website.bytes() > limits::WEBSITE_BYTES_MAX {
        return Err(S3Fault::new("InvalidRequest").saying("The website configuration is too long."));
    }
    Ok(website)
}

fn read_rule(rule: WireRule) -> Result<RoutingRule, S3Fault> {
    let invalid = |message: String| S3Fault::new("InvalidRequest").saying(message);
    let (key_prefix, code) = match rule.condition {
        None => (None, None),
        Some(condition) => (condition.key_prefix_equals, condition.http_error_code_returned_equals),
    };
    let status = match code {
        None => None,
        Some(text) => Some(text.parse().ok().filter(|code| (400..600).contains(code)).ok_or_else(|| {
            invalid(format!("The provided HTTP error code ({text}) is not valid. Valid codes are 4XX or 5XX."))
        })?),
    };
    let redirect = rule.redirect;
    if redirect == WireRedirect::default() {
        return Err(S3Fault::new("MalformedXML"));
    }
    let code = redirect.http_redirect_code;
    let status_stated = code.is_some();
    let redirect_status = match code {
        None => REDIRECT_STATUS,
        Some(text) => text.parse().ok().filter(|code| (301..400).contains(code)).ok_or_else(|| {
            invalid(format!("The provided HTTP redirect code ({text}) is not valid. Valid codes are 3XX except 300."))
        })?,
    };
    let key = match (redirect.replace_key_with, redirect.replace_key_prefix_with) {
        (Some(_), Some(_)) => {
            return Err(invalid("You can only define ReplaceKeyPrefix or ReplaceKey but not both.".to_owned()));
        }
        (Some(key), None) => Some(NewKey::Whole(key)),
        (None, prefix) => prefix.map(NewKey::Prefix),
    };
    Ok(RoutingRule {
        number: None,
        condition: RoutingCondition { key_prefix, status, ..RoutingCondition::default() },
        redirect: Redirect {
            protocol: read_protocol(redirect.protocol)?,
            host_name: redirect.host_name.map(host).transpose()?,
            key,
            status: redirect_status,
            status_stated,
            pass_query: false,
        },
    })
}

fn read_protocol(protocol: Option<WireProtocol>) -> Result<Option<Protocol>, S3Fault> {
    let Some(protocol) = protocol else { return Ok(None) };
    Protocol::from_text(protocol.as_str()).map(Some).ok_or_else(|| {
        let message = "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected \
                       automatically.";
        S3Fault::new("InvalidRequest").saying(message)
    })
}

fn host(name: String) -> Result<String, S3Fault> {
    if name.is_empty() || !is_host(&name) {
        return Err(S3Fault::invalid_argument("The HostName is not the name of a host.", "HostName", &name));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect() -> WireRedirect {
        WireRedirect { host_name: Some("b.example".into()), ..WireRedirect::default() }
    }

    fn site(rules: Vec<WireRule>) -> WebsiteConfiguration {
        WebsiteConfiguration {
            error_document: Some(WireError { key: "errors/404.html".into() }),
            index_document: Some(WireIndex { suffix: "index.html".into() }),
            redirect_all_requests_to: None,
            routing_rules: (!rules.is_empty()).then_some(rules),
        }
    }

    #[test]
    fn what_was_put_reads_back() {
        let rules = vec![
            WireRule {
                condition: Some(Condition {
                    http_error_code_returned_equals: Some("404".into()),
                    key_prefix_equals: Some("docs/".into()),
                }),
                redirect: WireRedirect {
                    protocol: Some(WireProtocol::from_static("https")),
                    http_redirect_code: Some("308".into()),
                    replace_key_prefix_with: Some("documents/".into()),
                    ..redirect()
                },
            },
            WireRule { condition: None, redirect: redirect() },
        ];
        let put = site(rules);
        let got = wire(read(put.clone()).expect("valid"));
        assert_eq!((got.index_document, got.error_document), (put.index_document, put.error_document));
        assert_eq!(got.routing_rules, put.routing_rules);

        let all = RedirectAllRequestsTo {
            host_name: "www.example:8080".into(),
            protocol: Some(WireProtocol::from_static("http")),
        };
        let put = WebsiteConfiguration { redirect_all_requests_to: Some(all.clone()), ..Default::default() };
        assert_eq!(wire(read(put).expect("valid")).redirect_all_requests_to, Some(all));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let of = |change: &dyn Fn(&mut WireRule)| {
            let mut rule = WireRule { condition: None, redirect: redirect() };
            change(&mut rule);
            read(site(vec![rule])).map(drop).map_err(|fault| fault.code)
        };
        let code =
            |code: &str| Some(Condition { http_error_code_returned_equals: Some(code.into()), ..Default::default() });
        assert_eq!(of(&|_| {}), Ok(()));
        for text in ["200", "600", "4xx", ""] {
            assert_eq!(of(&|rule| rule.condition = code(text)), Err("InvalidRequest"), "{text}");
        }
        for text in ["300", "200", "x"] {
            assert_eq!(
                of(&|rule| rule.redirect.http_redirect_code = Some(text.into())),
                Err("InvalidRequest"),
                "{text}"
            );
        }
        assert_eq!(of(&|rule| rule.redirect = WireRedirect::default()), Err("MalformedXML"));
        let ftp = || Some(WireProtocol::from_static("ftp"));
        assert_eq!(of(&|rule| rule.redirect.protocol = ftp()), Err("InvalidRequest"));
        assert_eq!(of(&|rule| rule.redirect.host_name = Some("a/b".into())), Err("InvalidArgument"));
        let both = |rule: &mut WireRule| {
            rule.redirect.replace_key_with = Some("a".into());
            rule.redirect.replace_key_prefix_with = Some("b".into());
        };
        assert_eq!(of(&both), Err("InvalidRequest"));

        let of = |configuration| read(configuration).map(drop).map_err(|fault| fault.code);
        assert_eq!(of(WebsiteConfiguration::default()), Err("InvalidArgument"));
        for suffix in ["", "a/b"] {
            let index_document = Some(WireIndex { suffix: suffix.into() });
            assert_eq!(of(WebsiteConfiguration { index_document, ..site(vec![]) }), Err("InvalidArgument"));
        }
        let error_document = Some(WireError { key: String::new() });
        assert_eq!(of(WebsiteConfiguration { error_document, ..site(vec![]) }), Err("InvalidArgument"));
        let all = RedirectAllRequestsTo { host_name: "b.example".into(), protocol: None };
        let both = WebsiteConfiguration { redirect_all_requests_to: Some(all), ..site(vec![]) };
        assert_eq!(of(both), Err("InvalidRequest"));
        let rule = || WireRule { condition: None, redirect: redirect() };
        assert_eq!(of(site(vec![rule(); limits::S3_WEBSITE_RULES_MAX])), Ok(()));
        assert_eq!(of(site(vec![rule(); limits::S3_WEBSITE_RULES_MAX + 1])), Err("InvalidRequest"));
        let long = WireRedirect { replace_key_with: Some("x".repeat(limits::WEBSITE_BYTES_MAX)), ..redirect() };
        assert_eq!(of(site(vec![WireRule { condition: None, redirect: long }])), Err("InvalidRequest"));
    }

    #[test]
    fn a_rule_that_this_dialect_cannot_say_is_left_out() {
        let mut website = read(site(vec![WireRule { condition: None, redirect: redirect() }])).expect("valid");
        website.rules[0].condition.key_suffix = Some(".txt".into());
        assert_eq!(wire(website).routing_rules, None);
    }
}
