//! `LifecycleConfiguration`.

use bytes::Bytes;

use super::Element;
use super::read::long_document;
use crate::clock::Wall;
use crate::http::oss::class::{class_from_text, class_text};
use crate::http::oss::error::OssError;
use crate::http::xml::Writer;
use crate::limits::{LIFECYCLE_XML_BYTES_MAX, LIFECYCLE_XML_ELEMENTS_MAX};
use crate::store::lifecycle::{
    Due, Exclusion, Lifecycle, LifecycleFilter, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, Transition,
};
use crate::store::{StorageClass, Tag};

/// `LifecycleConfiguration`. Each rule has its `Prefix`, an empty one too: a client reads it unasked.
pub fn lifecycle_configuration(lifecycle: &Lifecycle) -> Bytes {
    Writer::document("LifecycleConfiguration", |w| {
        for rule in &lifecycle.rules {
            w.element("Rule", |w| write_rule(w, rule));
        }
    })
}

fn write_rule(w: &mut Writer, rule: &LifecycleRule) {
    w.text("ID", &rule.id);
    w.text("Prefix", &rule.filter.prefix);
    w.text("Status", if rule.enabled { "Enabled" } else { "Disabled" });
    if rule.expiration.is_some() || rule.expired_delete_marker {
        w.element("Expiration", |w| {
            if let Some(due) = rule.expiration {
                write_due(w, due);
            }
            if rule.expired_delete_marker {
                w.text("ExpiredObjectDeleteMarker", true);
            }
        });
    }
    for transition in &rule.transitions {
        w.element("Transition", |w| {
            write_due(w, transition.due);
            w.text("StorageClass", class_text(transition.class));
        });
    }
    if let Some(due) = rule.abort_upload {
        w.element("AbortMultipartUpload", |w| write_due(w, due));
    }
    if let Some(expiration) = rule.noncurrent_expiration {
        w.element("NoncurrentVersionExpiration", |w| w.text("NoncurrentDays", expiration.days));
    }
    for transition in &rule.noncurrent_transitions {
        w.element("NoncurrentVersionTransition", |w| {
            w.text("NoncurrentDays", transition.days);
            w.text("StorageClass", class_text(transition.class));
        });
    }
    for tag in &rule.filter.tags {
        write_tag(w, tag);
    }
    write_filter(w, &rule.filter);
}

fn write_filter(w: &mut Writer, filter: &LifecycleFilter) {
    if filter.larger_than.is_none() && filter.smaller_than.is_none() && filter.not.is_empty() {
        return;
    }
    w.element("Filter", |w| {
        for not in &filter.not {
            w.element("Not", |w| {
                w.text("Prefix", &not.prefix);
                if let Some(tag) = &not.tag {
                    write_tag(w, tag);
                }
            });
        }
        if let Some(bytes) = filter.larger_than {
            w.text("ObjectSizeGreaterThan", bytes);
        }
        if let Some(bytes) = filter.smaller_than {
            w.text("ObjectSizeLessThan", bytes);
        }
    });
}

fn write_tag(w: &mut Writer, tag: &Tag) {
    w.element("Tag", |w| {
        w.text("Key", &tag.key);
        w.text("Value", &tag.value);
    });
}

fn write_due(w: &mut Writer, due: Due) {
    match due {
        Due::Days(days) => w.text("Days", days),
        Due::CreatedBefore(date) => w.text("CreatedBeforeDate", super::time_text(date)),
        Due::Date(date) => w.text("Date", super::time_text(date)),
    }
}

/// `LifecycleConfiguration`. A rule without an id has an empty one; whether the rules may be so, the operation judges.
pub fn read_lifecycle_configuration(body: &[u8]) -> Result<Lifecycle, OssError> {
    let root = long_document(body, "LifecycleConfiguration", LIFECYCLE_XML_BYTES_MAX, LIFECYCLE_XML_ELEMENTS_MAX)?;
    Ok(Lifecycle { rules: root.all("Rule").map(read_rule).collect::<Result<_, _>>()? })
}

fn read_rule(rule: &Element) -> Result<LifecycleRule, OssError> {
    let expiration = rule.child("Expiration");
    let mut read = LifecycleRule {
        id: rule.word_of("ID").unwrap_or_default().to_owned(),
        enabled: match rule.word_of("Status") {
            Some("Enabled") => true,
            Some("Disabled") => false,
            _ => return Err(OssError::malformed_xml()),
        },
        filter: read_filter(rule)?,
        expired_delete_marker: expiration.map_or(Ok(false), |e| super::flag(e, "ExpiredObjectDeleteMarker"))?,
        transitions: rule.all("Transition").map(read_transition).collect::<Result<_, _>>()?,
        noncurrent_transitions: rule
            .all("NoncurrentVersionTransition")
            .map(read_noncurrent)
            .collect::<Result<_, _>>()?,
        ..LifecycleRule::default()
    };
    if let Some(expiration) = expiration {
        read.expiration = read_due(expiration)?;
        // It says one of four things.
        if read.expiration.is_some() == read.expired_delete_marker {
            return Err(OssError::malformed_xml());
        }
    }
    if let Some(abort) = rule.child("AbortMultipartUpload") {
        read.abort_upload = Some(read_due(abort)?.ok_or_else(OssError::malformed_xml)?);
    }
    if let Some(noncurrent) = rule.child("NoncurrentVersionExpiration") {
        refuse_newest_kept(noncurrent)?;
        read.noncurrent_expiration = Some(NoncurrentExpiration { days: days(noncurrent, "NoncurrentDays")?, keep: 0 });
    }
    Ok(read)
}

fn read_filter(rule: &Element) -> Result<LifecycleFilter, OssError> {
    let mut filter = LifecycleFilter {
        prefix: rule.text_of("Prefix").unwrap_or_default(),
        tags: rule.all("Tag").map(read_tag).collect::<Result<_, _>>()?,
        ..LifecycleFilter::default()
    };
    // What narrows a rule must be understood: left out, it would let the rule end what it was meant to spare.
    if ["Prefix", "Filter"].iter().any(|name| rule.all(name).count() > 1) {
        return Err(OssError::malformed_xml());
    }
    let Some(element) = rule.child("Filter") else { return Ok(filter) };
    only(element, &["Not", "ObjectSizeGreaterThan", "ObjectSizeLessThan"])?;
    let bytes =
        |name| element.word_of(name).map(|word| word.parse().map_err(|_| OssError::malformed_xml())).transpose();
    filter.larger_than = bytes("ObjectSizeGreaterThan")?;
    filter.smaller_than = bytes("ObjectSizeLessThan")?;
    let exclusion = |not: &Element| {
        only(not, &["Prefix", "Tag"])?;
        let tag = not.child("Tag").map(read_tag).transpose()?;
        let prefix = not.text_of("Prefix").unwrap_or_default();
        // It is part of what the rule concerns, or it would spare nothing; a bare one would spare everything.
        let is_part = prefix.starts_with(&filter.prefix) && (tag.is_some() || prefix != filter.prefix);
        if is_part { Ok(Exclusion { prefix, tag }) } else { Err(invalid("Prefix", "Not/Prefix")) }
    };
    filter.not = element.all("Not").map(exclusion).collect::<Result<_, OssError>>()?;
    Ok(filter)
}

/// Refuses children of other names.
fn only(element: &Element, names: &[&str]) -> Result<(), OssError> {
    match element.children.iter().all(|child| names.contains(&child.name.as_str())) {
        true => Ok(()),
        false => Err(OssError::malformed_xml()),
    }
}

/// S3's way to spare the newest versions, which this dialect has no word for.
fn refuse_newest_kept(noncurrent: &Element) -> Result<(), OssError> {
    const NAME: &str = "NewerNoncurrentVersions";
    if noncurrent.child(NAME).is_some() { Err(OssError::not_implemented(NAME)) } else { Ok(()) }
}

fn read_tag(tag: &Element) -> Result<Tag, OssError> {
    let key = tag.text_of("Key").filter(|key| !key.is_empty()).ok_or_else(OssError::malformed_xml)?;
    Ok(Tag { key, value: tag.text_of("Value").unwrap_or_default() })
}

fn read_transition(transition: &Element) -> Result<Transition, OssError> {
    refuse_access_time(transition)?;
    let due = read_due(transition)?.ok_or_else(OssError::malformed_xml)?;
    Ok(Transition { due, class: read_class(transition)? })
}

fn read_noncurrent(transition: &Element) -> Result<NoncurrentTransition, OssError> {
    refuse_newest_kept(transition)?;
    refuse_access_time(transition)?;
    let class = read_class(transition)?;
    Ok(NoncurrentTransition { days: days(transition, "NoncurrentDays")?, keep: 0, class })
}

/// Nobody writes down when an object was read.
fn refuse_access_time(transition: &Element) -> Result<(), OssError> {
    match super::flag(transition, "IsAccessTime")? {
        true => Err(OssError::not_implemented("IsAccessTime")),
        false => Ok(()),
    }
}

fn read_class(transition: &Element) -> Result<StorageClass, OssError> {
    let word = transition.word_of("StorageClass").ok_or_else(OssError::malformed_xml)?;
    let colder = class_from_text(word).filter(|class| *class != StorageClass::Standard);
    colder.ok_or_else(|| invalid("StorageClass", word))
}

fn days(parent: &Element, name: &'static str) -> Result<u32, OssError> {
    let word = parent.word_of(name).ok_or_else(OssError::malformed_xml)?;
    word.parse().ok().filter(|days| *days > 0).ok_or_else(|| invalid(name, word))
}

/// One of `Days`, `CreatedBeforeDate` and `Date`; `None` when none of them is there.
fn read_due(parent: &Element) -> Result<Option<Due>, OssError> {
    let date = |name: &'static str| {
        let read = |word: &str| midnight(word).ok_or_else(|| invalid(name, word));
        parent.word_of(name).map(read).transpose()
    };
    let days = parent.word_of("Days").map(|_| days(parent, "Days")).transpose()?;
    match (days, date("CreatedBeforeDate")?, date("Date")?) {
        (None, None, None) => Ok(None),
        (Some(days), None, None) => Ok(Some(Due::Days(days))),
        (None, Some(date), None) => Ok(Some(Due::CreatedBefore(date))),
        (None, None, Some(date)) => Ok(Some(Due::Date(date))),
        _ => Err(OssError::malformed_xml()),
    }
}

/// A date as rules take it: midnight UTC.
fn midnight(text: &str) -> Option<Wall> {
    Wall::from_iso(text).filter(|date| date.midnight_from() == *date)
}

fn invalid(name: &'static str, value: &str) -> OssError {
    OssError::invalid_argument("The lifecycle configuration is invalid.", name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(text: &str) -> String {
        text.lines().map(str::trim).collect()
    }

    fn read(rules: &str) -> Result<Lifecycle, OssError> {
        read_lifecycle_configuration(format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>").as_bytes())
    }

    const GOLDEN: &str = "<LifecycleConfiguration>
        <Rule><ID>logs</ID><Prefix>logs/</Prefix><Status>Enabled</Status>
          <Expiration><Days>30</Days></Expiration>
          <Transition><Days>7</Days><StorageClass>IA</StorageClass></Transition>
          <Transition><CreatedBeforeDate>2026-01-01T00:00:00.000Z</CreatedBeforeDate><StorageClass>ColdArchive</StorageClass></Transition>
          <AbortMultipartUpload><Days>2</Days></AbortMultipartUpload>
          <NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration>
          <NoncurrentVersionTransition><NoncurrentDays>3</NoncurrentDays><StorageClass>DeepColdArchive</StorageClass></NoncurrentVersionTransition>
          <Tag><Key>a</Key><Value>1 &amp; 2</Value></Tag><Tag><Key>b</Key><Value></Value></Tag>
          <Filter><Not><Prefix>logs/keep</Prefix><Tag><Key>keep</Key><Value>yes</Value></Tag></Not>
            <ObjectSizeGreaterThan>500</ObjectSizeGreaterThan><ObjectSizeLessThan>64500</ObjectSizeLessThan></Filter>
        </Rule>
        <Rule><ID>markers</ID><Prefix></Prefix><Status>Disabled</Status>
          <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>
        </Rule>
        <Rule><ID>day</ID><Prefix>day/</Prefix><Status>Enabled</Status>
          <Expiration><Date>2026-02-01T00:00:00.000Z</Date></Expiration>
        </Rule>
      </LifecycleConfiguration>";

    #[test]
    fn a_configuration_reads_back_as_it_was_rendered() {
        let lifecycle = read_lifecycle_configuration(flat(GOLDEN).as_bytes()).expect("well-formed");
        let rule = &lifecycle.rules[0];
        assert_eq!(rule.expiration, Some(Due::Days(30)));
        assert_eq!(rule.transitions[1].due, Due::CreatedBefore(Wall(1_767_225_600_000)));
        assert_eq!(rule.noncurrent_transitions[0].class, StorageClass::DeepColdArchive);
        assert_eq!((rule.filter.larger_than, rule.filter.not.len(), rule.filter.tags.len()), (Some(500), 1, 2));
        assert!(!lifecycle.rules[1].enabled && lifecycle.rules[1].expired_delete_marker);
        let document = lifecycle_configuration(&lifecycle);
        let text = std::str::from_utf8(&document).expect("documents are UTF-8");
        assert_eq!(text.split_once('\n').expect("the declaration").1, flat(GOLDEN));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let rule = "<Rule><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
        let rules = read(rule).expect("well-formed").rules;
        assert_eq!((rules[0].id.as_str(), rules[0].filter.prefix.as_str()), ("", ""));
        assert_eq!(read("").map(|lifecycle| lifecycle.rules.len()), Ok(0));
    }

    #[test]
    fn what_no_rule_can_say_is_refused() {
        let good = "<Expiration><Days>1</Days></Expiration>";
        let rule = |inside: &str| read(&format!("<Rule><Prefix>a/</Prefix><Status>Enabled</Status>{inside}</Rule>"));
        assert!(rule(good).is_ok());
        for (inside, code) in [
            ("<Expiration/>", "MalformedXML"),
            ("<Expiration><Days>1</Days><Date>2026-02-01T00:00:00.000Z</Date></Expiration>", "MalformedXML"),
            (
                "<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
                "MalformedXML",
            ),
            ("<Expiration><Days>0</Days></Expiration>", "InvalidArgument"),
            ("<Expiration><Days>-1</Days></Expiration>", "InvalidArgument"),
            ("<Expiration><Days>one</Days></Expiration>", "InvalidArgument"),
            ("<Expiration><Date>2026-02-01</Date></Expiration>", "InvalidArgument"),
            (
                "<Expiration><CreatedBeforeDate>2026-02-01T10:00:00.000Z</CreatedBeforeDate></Expiration>",
                "InvalidArgument",
            ),
            ("<AbortMultipartUpload/>", "MalformedXML"),
            ("<NoncurrentVersionExpiration/>", "MalformedXML"),
            ("<Transition><Days>1</Days></Transition>", "MalformedXML"),
            ("<Transition><StorageClass>IA</StorageClass></Transition>", "MalformedXML"),
            ("<Transition><Days>1</Days><StorageClass>Standard</StorageClass></Transition>", "InvalidArgument"),
            (
                "<Transition><Days>1</Days><StorageClass>IA</StorageClass><IsAccessTime>true</IsAccessTime></Transition>",
                "NotImplemented",
            ),
            ("<Tag><Value>1</Value></Tag>", "MalformedXML"),
            ("<Filter><ObjectSizeLessThan>x</ObjectSizeLessThan></Filter>", "MalformedXML"),
            ("<Filter><Not><Prefix>a/</Prefix></Not></Filter>", "InvalidArgument"),
            ("<Filter><Not><Prefix>b/</Prefix></Not></Filter>", "InvalidArgument"),
            // What would narrow the rule and is not understood must not widen it.
            ("<Filter><Prefix>a/b/</Prefix></Filter>", "MalformedXML"),
            ("<Filter><And><Prefix>a/b/</Prefix></And></Filter>", "MalformedXML"),
            ("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>", "MalformedXML"),
            (
                "<Filter><Not><Prefix>a/b</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan></Not></Filter>",
                "MalformedXML",
            ),
            ("<Prefix>a/b/</Prefix>", "MalformedXML"),
            (
                "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
                 <NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
                "NotImplemented",
            ),
        ] {
            let refused = rule(&format!("{good}{inside}").replacen(
                good,
                if inside.starts_with("<Expiration") { "" } else { good },
                1,
            ));
            assert_eq!(refused.expect_err(inside).code, code, "{inside}");
        }
        assert_eq!(read("<Rule><Status>On</Status></Rule>").expect_err("a status").code, "MalformedXML");
    }
}
