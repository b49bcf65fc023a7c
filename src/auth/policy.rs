//! Policies: the JSON documents that allow and deny by who asks, what, of which resource and under which conditions.
//!
//! Two languages, read by one reader and mixed at will, since a bucket has one policy for both dialects:
//!
//! | | OSS | S3 |
//! |---|---|---|
//! | `Version` | `1` | `2012-10-17`, `2008-10-17` |
//! | resource | `acs:oss:REGION:ACCOUNT:BUCKET/KEY` | `arn:aws:s3:::BUCKET/KEY` |
//! | action | `oss:GetObject` | `s3:GetObject` |
//! | principal | `["*"]`, account ids or names | `"*"`, `{"AWS": ...}`, `{"CanonicalUser": ...}` |
//!
//! What this reader does not know it refuses, so that whatever was accepted is carried out to the letter. Only names of
//! actions are free: one that no operation has matches none. An account is the only identity there is, so a principal is
//! an account: its id in digits (also as `arn:aws:iam::ID:root` and `acs:ram::ID:root`) or its name.
//!
//! Never looks anything up; the size of a text is its caller's bound, and the time of a judgement is at most that size
//! times the length of a key.

use crate::auth::permission::Permission;

mod cache;
mod condition;
mod read;
#[cfg(test)]
mod tests;
mod wildcard;

pub use cache::PolicyCache;
pub use condition::Context;

use condition::Condition;
use read::{Document, Many, Pairs, Principals, Word};

/// Why a text is no policy that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

impl PolicyError {
    fn new(why: impl Into<String>) -> Self {
        PolicyError(why.into())
    }
}

/// What a policy hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bucket: says whom it speaks of.
    Bucket,
    /// A temporary credential: speaks of whoever holds it.
    Session,
}

/// A policy that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    allows: bool,
    /// `None` in a policy of a credential.
    principals: Option<Choice<Principal>>,
    /// Patterns in lower case: names of actions have no case.
    actions: Choice<String>,
    resources: Choice<Resource>,
    conditions: Vec<Condition>,
}

/// A list that is meant, or everything but it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice<T> {
    except: bool,
    list: Vec<T>,
}

impl<T> Choice<T> {
    fn holds(&self, fits: impl FnMut(&T) -> bool) -> bool {
        self.list.iter().any(fits) != self.except
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Principal {
    /// Whoever, also who proved nothing.
    Everybody,
    Id(i64),
    Name(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Resource {
    /// The account that must own the bucket, where the resource names one.
    owner: Option<i64>,
    /// `BUCKET` or `BUCKET/KEY`, with wildcards.
    pattern: String,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account<'a> {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: &'a str,
}

/// What is asked, as a policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks; `None` when nobody proved anything.
    pub account: Option<Account<'a>>,
    /// What is needed.
    pub permission: Permission,
    /// The bucket's name; empty is the service.
    pub bucket: &'a str,
    /// The account that owns the bucket; `None` while there is none.
    pub owner: Option<i64>,
    /// The key or channel; `None` is the bucket itself.
    pub key: Option<&'a [u8]>,
    /// For conditions.
    pub context: Context<'a>,
}

/// What a policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement denies it, whatever else allows it.
    Denied,
    /// A statement allows it, and none denies it.
    Allowed,
    /// No statement speaks of it.
    Silent,
}

impl Policy {
    /// Reads a text of at most `bytes_max` bytes.
    pub fn parse(text: &[u8], kind: Kind, bytes_max: usize) -> Result<Self, PolicyError> {
        if text.len() > bytes_max {
            return Err(PolicyError::new(format!("The policy is larger than {bytes_max} bytes.")));
        }
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| PolicyError::new(format!("The policy is malformed: {error}.")))?;
        if let Some(version) = document.version.filter(|v| !matches!(v.as_str(), "1" | "2012-10-17" | "2008-10-17")) {
            return Err(PolicyError::new(format!("The policy version {version} is not supported.")));
        }
        if document.statement.0.is_empty() {
            return Err(PolicyError::new("The policy has no statement."));
        }
        let statements = document.statement.0.into_iter().map(|statement| Statement::read(statement, kind));
        Ok(Policy { statements: statements.collect::<Result<_, _>>()? })
    }

    /// A bucket's policy, whose text was accepted once. Should this build not understand it (an older one that found a newer
    /// one's data), it denies everything: what it meant to deny must not come to be allowed.
    pub fn of_bucket(text: &str) -> Self {
        Policy::parse(text.as_bytes(), Kind::Bucket, usize::MAX).unwrap_or_else(|_| Policy::deny_all())
    }

    /// A policy that denies everything: what stands in for one that can no longer be read.
    pub fn deny_all() -> Self {
        let everything = Resource { owner: None, pattern: "*".into() };
        Policy {
            statements: vec![Statement {
                allows: false,
                principals: None,
                actions: Choice { except: false, list: vec!["*".into()] },
                resources: Choice { except: false, list: vec![everything] },
                conditions: Vec::new(),
            }],
        }
    }

    /// Refuses a policy that speaks of other buckets than the one it is to hang on.
    pub fn check_bucket(&self, bucket: &str, owner: i64) -> Result<(), PolicyError> {
        let resources = self.statements.iter().flat_map(|statement| &statement.resources.list);
        for resource in resources {
            let name = resource.pattern.split('/').next().unwrap_or_default();
            let own = resource.owner.is_none_or(|named| named == owner);
            if !own || !wildcard::matches(name.as_bytes(), bucket.as_bytes()) {
                return Err(PolicyError::new(format!("The resource {} is not in this bucket.", resource.pattern)));
            }
        }
        Ok(())
    }

    /// What it says of a request.
    pub fn judge(&self, question: &Question<'_>) -> Verdict {
        let path = match question.key {
            None => question.bucket.as_bytes().to_vec(),
            Some(key) => [question.bucket.as_bytes(), key].join(&b'/'),
        };
        let mut verdict = Verdict::Silent;
        for statement in self.statements.iter().filter(|statement| statement.speaks_of(question, &path)) {
            if !statement.allows {
                return Verdict::Denied;
            }
            verdict = Verdict::Allowed;
        }
        verdict
    }

    /// Whether it allows anything to everybody, wherever they are.
    pub fn is_public(&self) -> bool {
        self.statements.iter().any(|statement| {
            let everybody = statement
                .principals
                .as_ref()
                .is_some_and(|principals| principals.except || principals.list.contains(&Principal::Everybody));
            statement.allows && everybody && !statement.conditions.iter().any(Condition::fixes_addresses)
        })
    }
}

impl Statement {
    fn read(from: read::Statement, kind: Kind) -> Result<Self, PolicyError> {
        let allows = match from.effect.as_str() {
            "Allow" => true,
            "Deny" => false,
            other => return Err(PolicyError::new(format!("The effect {other} is neither Allow nor Deny."))),
        };
        let principals = match (kind, from.principal, from.not_principal) {
            (Kind::Session, None, None) => None,
            (Kind::Session, ..) => return Err(PolicyError::new("A policy of a credential names no principal.")),
            (Kind::Bucket, None, None) => return Err(PolicyError::new("A statement has no principal.")),
            (Kind::Bucket, Some(_), Some(_)) => return Err(both("Principal")),
            (Kind::Bucket, Some(list), None) => Some(Choice { except: false, list: read_principals(list)? }),
            (Kind::Bucket, None, Some(list)) => Some(Choice { except: true, list: read_principals(list)? }),
        };
        Ok(Statement {
            allows,
            principals,
            actions: choice("Action", from.action, from.not_action, read_action)?,
            resources: choice("Resource", from.resource, from.not_resource, Resource::read)?,
            conditions: read_conditions(from.condition)?,
        })
    }

    fn speaks_of(&self, question: &Question<'_>, path: &[u8]) -> bool {
        let action = |pattern: &String| {
            let mut names = question.permission.names().iter();
            names.any(|name| wildcard::matches(pattern.as_bytes(), name.to_ascii_lowercase().as_bytes()))
        };
        let resource = |resource: &Resource| {
            let owner = resource.owner.is_none_or(|owner| question.owner.is_none_or(|actual| actual == owner));
            owner && wildcard::matches(resource.pattern.as_bytes(), path)
        };
        self.principals.as_ref().is_none_or(|all| all.holds(|principal| principal.is(question.account)))
            && self.actions.holds(action)
            && self.resources.holds(resource)
            && self.conditions.iter().all(|condition| condition.holds(&question.context))
    }
}

impl Principal {
    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Principal::Everybody);
        }
        let inside = |prefix| text.strip_prefix(prefix)?.strip_suffix(":root");
        let id = inside("arn:aws:iam::").or_else(|| inside("acs:ram::"));
        if let Some(id) = account_id(id.unwrap_or(text)) {
            return Some(Principal::Id(id));
        }
        let named = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let is_name = (1..=64).contains(&text.len()) && text.bytes().all(named);
        (is_name && !text.bytes().all(|b| b.is_ascii_digit())).then(|| Principal::Name(text.to_owned()))
    }

    fn is(&self, account: Option<Account<'_>>) -> bool {
        match self {
            Principal::Everybody => true,
            Principal::Id(id) => account.is_some_and(|account| account.id == *id),
            Principal::Name(name) => account.is_some_and(|account| account.name == name),
        }
    }
}

impl Resource {
    fn read(text: String) -> Result<Self, PolicyError> {
        let invalid = || PolicyError::new(format!("The resource {text} is invalid."));
        let (owner, pattern) = if text == "*" {
            (None, "*")
        } else if let Some(rest) = text.strip_prefix("acs:oss:") {
            // The region is the server's only one, whatever it is called.
            let mut parts = rest.splitn(3, ':');
            let (_, account, pattern) = (parts.next(), parts.next(), parts.next());
            let owner = match account.unwrap_or_default() {
                "" | "*" => None,
                id => Some(account_id(id).ok_or_else(invalid)?),
            };
            (owner, pattern.unwrap_or_default())
        } else {
            let rest = text.strip_prefix("arn:aws").ok_or_else(invalid)?;
            let rest = rest.strip_prefix("-cn").or_else(|| rest.strip_prefix("-us-gov")).unwrap_or(rest);
            (None, rest.strip_prefix(":s3:::").ok_or_else(invalid)?)
        };
        if pattern.is_empty() || pattern.starts_with('/') {
            return Err(invalid());
        }
        if pattern.contains("${") {
            return Err(PolicyError::new(format!("Policy variables are not supported: {text}.")));
        }
        Ok(Resource { owner, pattern: pattern.to_owned() })
    }
}

fn both(name: &str) -> PolicyError {
    PolicyError::new(format!("A statement has both {name} and Not{name}."))
}

fn choice<T>(
    name: &str,
    these: Option<Many<Word>>,
    others: Option<Many<Word>>,
    read: impl Fn(String) -> Result<T, PolicyError>,
) -> Result<Choice<T>, PolicyError> {
    let (except, words) = match (these, others) {
        (Some(_), Some(_)) => return Err(both(name)),
        (Some(words), None) => (false, words),
        (None, Some(words)) => (true, words),
        (None, None) => return Err(PolicyError::new(format!("A statement has no {name}."))),
    };
    if words.0.is_empty() {
        return Err(PolicyError::new(format!("A statement has an empty {name}.")));
    }
    let list = words.0.into_iter().map(|word| read(word.0)).collect::<Result<_, _>>()?;
    Ok(Choice { except, list })
}

/// `*`, or `service:name` with wildcards.
fn read_action(text: String) -> Result<String, PolicyError> {
    let formed = |(service, name): (&str, &str)| !service.is_empty() && !name.is_empty();
    if text == "*" || text.split_once(':').is_some_and(formed) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(PolicyError::new(format!("The action {text} is invalid.")))
    }
}

fn read_principals(from: Principals) -> Result<Vec<Principal>, PolicyError> {
    let invalid = |text: &str| PolicyError::new(format!("The principal {text} is invalid."));
    let mut all = Vec::new();
    match from {
        Principals::Plain(words) => {
            for Word(text) in words {
                all.push(Principal::read(&text).ok_or_else(|| invalid(&text))?);
            }
        }
        Principals::ByKind(Pairs(kinds)) => {
            for (kind, Many(words)) in kinds {
                for Word(text) in words {
                    all.push(match kind.as_str() {
                        "AWS" => Principal::read(&text).ok_or_else(|| invalid(&text))?,
                        "CanonicalUser" => Principal::Id(account_id(&text).ok_or_else(|| invalid(&text))?),
                        _ => return Err(invalid(&kind)),
                    });
                }
            }
        }
    }
    if all.is_empty() { Err(PolicyError::new("A statement has an empty principal.")) } else { Ok(all) }
}

fn read_conditions(from: Option<Pairs<Pairs<Many<Word>>>>) -> Result<Vec<Condition>, PolicyError> {
    let mut all = Vec::new();
    for (operator, Pairs(keys)) in from.map(|Pairs(operators)| operators).unwrap_or_default() {
        for (key, Many(words)) in keys {
            let values: Vec<String> = words.into_iter().map(|Word(text)| text).collect();
            all.push(Condition::read(&operator, &key, &values)?);
        }
    }
    Ok(all)
}

/// Decimal digits only; leading zeros are how Amazon writes account ids.
fn account_id(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
