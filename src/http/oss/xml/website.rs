//! `WebsiteConfiguration`.

use bytes::Bytes;

use super::read::{Element, document};
use super::settings::boolean;
use super::{OSS_XML_BYTES_MAX, flag};
use crate::http::headers::is_host;
use crate::http::oss::error::OssError;
use crate::http::xml::Writer;
use crate::limits::{OSS_WEBSITE_RULES_MAX, WEBSITE_BYTES_MAX};
use crate::store::settings::{
    ErrorDocument, HeaderCondition, IndexDocument, NewKey, Protocol, Redirect, RoutingCondition, RoutingRule,
    Unslashed, Website,
};

/// What a rule's redirect is sent with when it does not say.
const REDIRECT_STATUS: u16 = 302;
const EXTERNAL: &str = "External";

// ---- rendering -----------------------------------------------------------------------------------------------

/// `WebsiteConfiguration`. A redirect of everything, which only S3 knows, comes out as the one rule that it is here.
pub fn website_configuration(website: &Website) -> Bytes {
    Writer::document("WebsiteConfiguration", |w| {
        if let Some(index) = &website.index {
            w.element("IndexDocument", |w| {
                w.text("Suffix", &index.suffix);
                w.text("SupportSubDir", index.in_folders);
                w.text("Type", type_text(index.unslashed));
            });
        }
        if let Some(error) = &website.error {
            w.element("ErrorDocument", |w| {
                w.text("Key", &error.key);
                w.text("HttpStatus", error.status.unwrap_or(404));
            });
        }
        let everything = website.redirect_all.as_ref().map(|all| RoutingRule {
            number: Some(1),
            condition: RoutingCondition::default(),
            redirect: Redirect {
                protocol: all.protocol,
                host_name: Some(all.host_name.clone()),
                status: 301,
                pass_query: true,
                ..Redirect::default()
            },
        });
        let rules: Vec<&RoutingRule> = everything.iter().chain(&website.rules).collect();
        if !rules.is_empty() {
            w.element("RoutingRules", |w| {
                for (at, rule) in (1u32..).zip(rules) {
                    w.element("RoutingRule", |w| write_rule(w, rule, at));
                }
            });
        }
    })
}

const fn type_text(unslashed: Unslashed) -> &'static str {
    match unslashed {
        Unslashed::Redirect => "0",
        Unslashed::NotFound => "1",
        Unslashed::Index => "2",
    }
}

fn write_rule(w: &mut Writer, rule: &RoutingRule, place: u32) {
    w.text("RuleNumber", rule.number.unwrap_or(place));
    let condition = &rule.condition;
    if *condition != RoutingCondition::default() {
        w.element("Condition", |w| {
            text_if(w, "KeyPrefixEquals", condition.key_prefix.as_ref());
            text_if(w, "KeySuffixEquals", condition.key_suffix.as_ref());
            text_if(w, "HttpErrorCodeReturnedEquals", condition.status.as_ref());
            for header in &condition.headers {
                w.element("IncludeHeader", |w| {
                    w.text("Key", &header.name);
                    text_if(w, "Equals", header.equals.as_ref());
                    text_if(w, "StartsWith", header.starts_with.as_ref());
                    text_if(w, "EndsWith", header.ends_with.as_ref());
                });
            }
        });
    }
    let redirect = &rule.redirect;
    w.element("Redirect", |w| {
        w.text("RedirectType", EXTERNAL);
        w.text("PassQueryString", redirect.pass_query);
        text_if(w, "Protocol", redirect.protocol.map(Protocol::text).as_ref());
        text_if(w, "HostName", redirect.host_name.as_ref());
        match &redirect.key {
            None => {}
            Some(NewKey::Whole(key)) => w.text("ReplaceKeyWith", key),
            Some(NewKey::Prefix(prefix)) => {
                w.text("EnableReplacePrefix", true);
                w.text("ReplaceKeyPrefixWith", prefix);
            }
        }
        w.text("HttpRedirectCode", redirect.status);
    });
}

fn text_if<T: std::fmt::Display>(w: &mut Writer, name: &str, text: Option<&T>) {
    if let Some(text) = text {
        w.text(name, text);
    }
}

// ---- reading -------------------------------------------------------------------------------------------------

/// `WebsiteConfiguration`, checked. A rule that fetches from elsewhere (`Mirror`) is refused: nothing does that here.
pub fn read_website_configuration(body: &[u8]) -> Result<Website, OssError> {
    let root = document(body, "WebsiteConfiguration", OSS_XML_BYTES_MAX)?;
    let mut rules = match root.child("RoutingRules") {
        None => Vec::new(),
        Some(list) => list.all("RoutingRule").map(read_rule).collect::<Result<Vec<_>, _>>()?,
    };
    if rules.len() > OSS_WEBSITE_RULES_MAX {
        let message = format!("There must be at most {OSS_WEBSITE_RULES_MAX} routing rules.");
        return Err(OssError::invalid_argument(&message, "RoutingRule", &rules.len().to_string()));
    }
    rules.sort_by_key(|rule| rule.number);
    if let Some([_, twice]) = rules.windows(2).find(|pair| pair[0].number == pair[1].number) {
        let number = twice.number.unwrap_or_default().to_string();
        return Err(OssError::invalid_argument("The RuleNumber must differ from rule to rule.", "RuleNumber", &number));
    }
    // One library always writes both, empty where there is none.
    let filled = |name, inside| root.child(name).filter(|document: &&Element| document.word_of(inside).is_some());
    let website = Website {
        redirect_all: None,
        index: filled("IndexDocument", "Suffix").map(read_index).transpose()?,
        error: filled("ErrorDocument", "Key").map(read_error).transpose()?,
        rules,
    };
    if website == Website::default() {
        return Err(OssError::malformed_xml());
    }
    if website.bytes() > WEBSITE_BYTES_MAX {
        let message = "The WebsiteConfiguration is too long.";
        return Err(OssError::invalid_argument(message, "WebsiteConfiguration", &website.bytes().to_string()));
    }
    Ok(website)
}

fn read_index(index: &Element) -> Result<IndexDocument, OssError> {
    let suffix = index.word_of("Suffix").unwrap_or_default();
    if suffix.contains('/') {
        return Err(OssError::invalid_argument(
            "The Suffix of the index must be a name without slash.",
            "Suffix",
            suffix,
        ));
    }
    let unslashed = match index.word_of("Type") {
        None | Some("0") => Unslashed::Redirect,
        Some("1") => Unslashed::NotFound,
        Some("2") => Unslashed::Index,
        Some(other) => return Err(OssError::invalid_argument("The Type must be 0, 1 or 2.", "Type", other)),
    };
    Ok(IndexDocument { suffix: suffix.to_owned(), in_folders: flag(index, "SupportSubDir")?, unslashed })
}

fn read_error(error: &Element) -> Result<ErrorDocument, OssError> {
    let key = error.word_of("Key").ok_or_else(OssError::malformed_xml)?;
    super::object_key(key.as_bytes())?;
    let status = match error.word_of("HttpStatus") {
        None | Some("404") => 404,
        Some("200") => 200,
        Some(other) => {
            return Err(OssError::invalid_argument("The HttpStatus must be 200 or 404.", "HttpStatus", other));
        }
    };
    Ok(ErrorDocument { key: key.to_owned(), status: Some(status) })
}

fn read_rule(rule: &Element) -> Result<RoutingRule, OssError> {
    if rule.child("LuaConfig").is_some() {
        return Err(OssError::not_implemented("LuaConfig"));
    }
    let number = rule.word_of("RuleNumber").ok_or_else(OssError::malformed_xml)?;
    let valid = number.parse().ok().filter(|number: &u32| *number > 0);
    let invalid = || OssError::invalid_argument("The RuleNumber must be a positive integer.", "RuleNumber", number);
    let number = Some(valid.ok_or_else(invalid)?);
    let condition = rule.child("Condition").map(read_condition).transpose()?.unwrap_or_default();
    let redirect = read_redirect(rule.child("Redirect").ok_or_else(OssError::malformed_xml)?)?;
    Ok(RoutingRule { number, condition, redirect })
}

fn read_condition(condition: &Element) -> Result<RoutingCondition, OssError> {
    const CODE: &str = "HttpErrorCodeReturnedEquals";
    let header = |header: &Element| {
        let text = |name| header.text_of(name).filter(|text| !text.is_empty());
        Ok(HeaderCondition {
            name: header.word_of("Key").ok_or_else(OssError::malformed_xml)?.to_ascii_lowercase(),
            equals: text("Equals"),
            starts_with: text("StartsWith"),
            ends_with: text("EndsWith"),
        })
    };
    let status = match condition.word_of(CODE) {
        None => None,
        Some(word) => {
            let status = word.parse().ok().filter(|status| (400..600).contains(status));
            Some(status.ok_or_else(|| OssError::invalid_argument("It must be the status of an error.", CODE, word))?)
        }
    };
    Ok(RoutingCondition {
        key_prefix: filled(condition, "KeyPrefixEquals"),
        key_suffix: filled(condition, "KeySuffixEquals"),
        status,
        headers: condition.all("IncludeHeader").map(header).collect::<Result<_, OssError>>()?,
    })
}

fn read_redirect(redirect: &Element) -> Result<Redirect, OssError> {
    match redirect.word_of("RedirectType") {
        Some(EXTERNAL) => {}
        // Fetched and kept, or handed on to a network of caches: neither is here.
        Some("Mirror" | "AliCDN" | "Internal") => return Err(OssError::not_implemented("RedirectType")),
        other => {
            let given = other.unwrap_or_default();
            return Err(OssError::invalid_argument("The RedirectType is not one that exists.", "RedirectType", given));
        }
    }
    let protocol = match redirect.word_of("Protocol") {
        None => None,
        Some(word) => {
            let invalid = || OssError::invalid_argument("The Protocol must be http or https.", "Protocol", word);
            Some(Protocol::from_text(word).ok_or_else(invalid)?)
        }
    };
    let (status, status_stated) = match redirect.word_of("HttpRedirectCode") {
        None => (REDIRECT_STATUS, false),
        Some(word) => {
            let status = word.parse().ok().filter(|status| (301..400).contains(status));
            let message = "The HttpRedirectCode must be a 3xx status but 300.";
            (status.ok_or_else(|| OssError::invalid_argument(message, "HttpRedirectCode", word))?, true)
        }
    };
    let host_name = filled(redirect, "HostName");
    if let Some(host) = host_name.as_deref().filter(|host| !is_host(host)) {
        return Err(OssError::invalid_argument("The HostName is not the name of a host.", "HostName", host));
    }
    Ok(Redirect {
        protocol,
        host_name,
        key: read_new_key(redirect)?,
        status,
        status_stated,
        pass_query: flag(redirect, "PassQueryString")?,
    })
}

fn read_new_key(redirect: &Element) -> Result<Option<NewKey>, OssError> {
    let whole = filled(redirect, "ReplaceKeyWith");
    let prefix = filled(redirect, "ReplaceKeyPrefixWith");
    match (whole, prefix) {
        (Some(_), Some(_)) => Err(OssError::invalid_argument(
            "ReplaceKeyWith and ReplaceKeyPrefixWith exclude each other.",
            "ReplaceKeyWith",
            "",
        )),
        (Some(whole), None) => Ok(Some(NewKey::Whole(whole))),
        (None, Some(prefix)) => Ok(Some(NewKey::Prefix(prefix))),
        // The prefix is taken away, and nothing put in its place.
        (None, None) if boolean(redirect, "EnableReplacePrefix")? == Some(true) => {
            Ok(Some(NewKey::Prefix(String::new())))
        }
        (None, None) => Ok(None),
    }
}

fn filled(parent: &Element, name: &str) -> Option<String> {
    parent.text_of(name).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests;
