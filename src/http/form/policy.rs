//! The policy of a browser form: until when it may be sent, and what its fields may say.
//!
//! Whoever signed it lets others upload within it. A JSON document in base64; "Appendix: Policy" of PostObject in the OSS
//! API reference, "POST policy" of the Amazon S3 API reference. Pure: fields and `now` are arguments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::Wall;

#[cfg(test)]
mod tests;

/// Why a form is not what its policy allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// The policy is not one.
    #[error("{why}")]
    Invalid {
        /// What is wrong with it.
        why: &'static str,
        /// The public service's number for it.
        ec: &'static str,
    },
    /// Its time is over.
    #[error("Invalid according to Policy: Policy expired.")]
    Expired,
    /// A field does not say what it must; holds the condition as the policy has it.
    #[error("Invalid according to Policy: Policy Condition failed: {0}")]
    Failed(String),
    /// A field that the policy does not speak of.
    #[error("Invalid according to Policy: Extra input fields: {0}")]
    ExtraField(String),
}

/// A policy that can be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    expiration: Wall,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Field {
        /// In lower case, without the `$`.
        name: String,
        rule: Rule,
        /// As the policy has it, for the error.
        text: String,
    },
    LengthRange(SizeRange),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Equals(String),
    StartsWith(String),
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// Bytes that the file may have, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl Default for SizeRange {
    /// Any size.
    fn default() -> Self {
        SizeRange { min: 0, max: u64::MAX }
    }
}

const fn invalid(why: &'static str, ec: &'static str) -> PolicyFault {
    PolicyFault::Invalid { why, ec }
}

impl Policy {
    /// Reads the field's text.
    pub fn read(text: &str) -> Result<Self, PolicyFault> {
        let not_json = || invalid("Invalid Policy: Invalid JSON.", "0006-00000201");
        let json =
            BASE64.decode(text.trim()).map_err(|_| invalid("Invalid Policy: Invalid Base64.", "0006-00000201"))?;
        let document: Value = serde_json::from_slice(&json).map_err(|_| not_json())?;
        let document = document.as_object().ok_or_else(not_json)?;
        if document.keys().any(|key| key != "expiration" && key != "conditions") {
            return Err(invalid("Invalid Policy: Unexpected key.", "0006-00000206"));
        }
        let expiration = document.get("expiration").and_then(Value::as_str);
        let expiration = expiration.ok_or(invalid("Invalid Policy: Policy missing expiration.", "0006-00000209"))?;
        let expiration = OffsetDateTime::parse(expiration, &Rfc3339)
            .map_err(|_| invalid("Invalid Policy: Invalid 'expiration' value.", "0006-00000208"))?;
        let conditions = document.get("conditions");
        let conditions = conditions.ok_or(invalid("Invalid Policy: Policy missing conditions.", "0006-00000207"))?;
        let conditions =
            conditions.as_array().ok_or(invalid("Invalid Policy: Invalid conditions.", "0006-00000216"))?;
        let mut read = Vec::new();
        for condition in conditions {
            read_condition(condition, &mut read)?;
        }
        // Fractions of a second are not kept: none of them matters.
        Ok(Policy { expiration: Wall::from_unix_seconds(expiration.unix_timestamp()), conditions: read })
    }

    /// Whether a form may be sent at `now`; `value` gives what a field says, its name in lower case. `raw_key` is the key
    /// before `${filename}` was filled in: a signer who wrote that very text meant it. Gives the sizes that the file may
    /// have.
    pub fn judge<'a>(
        &self,
        now: Wall,
        raw_key: &[u8],
        value: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> Result<SizeRange, PolicyFault> {
        if now > self.expiration {
            return Err(PolicyFault::Expired);
        }
        let mut sizes = SizeRange::default();
        for condition in &self.conditions {
            match condition {
                Condition::LengthRange(range) => {
                    sizes = SizeRange { min: sizes.min.max(range.min), max: sizes.max.min(range.max) };
                }
                Condition::Field { name, rule, text } => {
                    let said = value(name).unwrap_or_default();
                    let holds = match rule {
                        Rule::Equals(wanted) => {
                            said == wanted.as_bytes() || (name == "key" && raw_key == wanted.as_bytes())
                        }
                        Rule::StartsWith(start) => said.starts_with(start.as_bytes()),
                        Rule::In(list) => list.iter().any(|wanted| said == wanted.as_bytes()),
                        Rule::NotIn(list) => list.iter().all(|wanted| said != wanted.as_bytes()),
                    };
                    if !holds {
                        return Err(PolicyFault::Failed(text.clone()));
                    }
                }
            }
        }
        Ok(sizes)
    }

    /// The fields that conditions speak of, their names in lower case.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().filter_map(|condition| match condition {
            Condition::Field { name, .. } => Some(name.as_str()),
            Condition::LengthRange(_) => None,
        })
    }

    /// Whether a condition speaks of the field, its name in lower case.
    pub fn mentions(&self, field: &str) -> bool {
        self.fields().any(|name| name == field)
    }
}

fn read_condition(condition: &Value, into: &mut Vec<Condition>) -> Result<(), PolicyFault> {
    let wrong_type = invalid("Invalid Policy: Invalid condition value.", "0006-00000224");
    match condition {
        // `{"field": "value"}`: each of its pairs must hold.
        Value::Object(pairs) => {
            for (name, value) in pairs {
                let value = text_of(value).ok_or_else(|| wrong_type.clone())?;
                let text = format!("[\"eq\", \"${name}\", \"{value}\"]");
                into.push(Condition::Field { name: name.to_ascii_lowercase(), rule: Rule::Equals(value), text });
            }
            Ok(())
        }
        Value::Array(parts) => {
            let operator = parts.first().and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
            let [_, subject, value] = parts.as_slice() else {
                return Err(invalid("Invalid Policy: Invalid condition.", "0006-00000216"));
            };
            if operator == "content-length-range" {
                let (min, max) = (size_of(subject), size_of(value));
                let (min, max) = min.zip(max).ok_or(wrong_type)?;
                into.push(Condition::LengthRange(SizeRange { min, max }));
                return Ok(());
            }
            let rule = match operator.as_str() {
                "eq" => Rule::Equals(text_of(value).ok_or(wrong_type.clone())?),
                "starts-with" => Rule::StartsWith(text_of(value).ok_or(wrong_type.clone())?),
                "in" => Rule::In(list_of(value).ok_or(wrong_type.clone())?),
                "not-in" => Rule::NotIn(list_of(value).ok_or(wrong_type.clone())?),
                _ => return Err(invalid("Invalid Policy: Unknown matching mode.", "0006-00000216")),
            };
            let name = subject.as_str().ok_or(wrong_type)?;
            // The dollar is documented, and left out in the documentation's own examples.
            let name = name.strip_prefix('$').unwrap_or(name).to_ascii_lowercase();
            into.push(Condition::Field { name, rule, text: condition.to_string() });
            Ok(())
        }
        _ => Err(wrong_type),
    }
}

/// A text; numbers and booleans stand for their own.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn list_of(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text_of).collect()
}

/// Clients write sizes as numbers and as texts.
fn size_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
