use proptest::prelude::*;

use super::*;

fn parse(json: &str) -> Result<Option<Callback>, (&'static str, Option<&'static str>)> {
    Callback::parse(&BASE64.encode(json)).map_err(|error| (error.code, error.ec))
}

#[test]
fn a_configuration_is_read_with_its_defaults() {
    let callback = parse(r#"{"callbackUrl":"a.example/x;https://b.example","callbackBody":"k=${object}"}"#);
    let callback = callback.expect("valid").expect("a callback");
    assert_eq!(
        callback.destinations,
        ["http://a.example/x", "https://b.example"].map(|url| url.parse().expect("a URL"))
    );
    assert_eq!((callback.host, callback.form, callback.names_server), (None, BodyForm::UrlEncoded, false));
    let whole = r#"{"callbackUrl":"a.example","callbackBody":"{\"k\":${object}}","callbackBodyType":"application/JSON",
        "callbackHost":"b.example","callbackSNI":true,"unknown":1}"#;
    let callback = parse(whole).expect("valid").expect("a callback");
    assert_eq!(
        (callback.host.as_deref(), callback.form, callback.names_server),
        (Some("b.example"), BodyForm::Json, true)
    );
    for none in [r#"{"callbackBody":"a"}"#, r#"{"callbackUrl":"","callbackBody":"a"}"#, "{}"] {
        assert_eq!(parse(none), Ok(None), "{none}");
    }
}

#[test]
fn what_is_no_configuration_has_its_number() {
    let argument = |ec| Err(("InvalidArgument", ec));
    for (json, ec) in [
        ("", Some("0007-00000003")),
        ("[]", Some("0007-00000003")),
        (r#"{"callbackUrl":"a.example""#, Some("0007-00000003")),
        (r#"{"callbackUrl":"www.a.example:test","callbackBody":"a"}"#, Some("0007-00000004")),
        (r#"{"callbackUrl":"ftp://a.example","callbackBody":"a"}"#, Some("0007-00000004")),
        (r#"{"callbackUrl":";","callbackBody":"a"}"#, Some("0007-00000004")),
        (r#"{"callbackUrl":"a;b;c;d;e;f","callbackBody":"a"}"#, Some("0007-00000004")),
        (r#"{"callbackUrl":"a.example"}"#, Some("0007-00000011")),
        (r#"{"callbackUrl":"a.example","callbackBody":""}"#, Some("0007-00000011")),
        (r#"{"callbackUrl":7,"callbackBody":"a"}"#, None),
        (r#"{"callbackUrl":"a.example","callbackBody":"a","callbackBodyType":"text/plain"}"#, None),
        (r#"{"callbackUrl":"a.example","callbackBody":"a","callbackSNI":"perhaps"}"#, None),
        (r#"{"callbackUrl":"a.example","callbackBody":"a","callbackHost":"a\nb"}"#, None),
        (
            r#"{"callbackUrl":"a.example","callbackBody":"a=${object}","callbackBodyType":"application/json"}"#,
            Some("0007-00000003"),
        ),
        (
            r#"{"callbackUrl":"a.example","callbackBody":"{\"a\":${unknown}}","callbackBodyType":"application/json"}"#,
            Some("0007-00000003"),
        ),
    ] {
        assert_eq!(parse(json), argument(ec), "{json}");
    }
    let plain = Callback::parse("x123-*&").map_err(|error| (error.code, error.ec));
    assert_eq!(plain, argument(Some("0007-00000002")));
    let variables = |text: &str| read_variables(text).map_err(|error| error.ec);
    assert_eq!(variables("x123-*&"), Err(Some("0007-00000102")));
    assert_eq!(variables(&BASE64.encode(r#"{"x:a":"b""#)), Err(Some("0007-00000103")));
    assert_eq!(variables(&BASE64.encode(r#"{"a":"b"}"#)), Err(None));
    let read = variables(&BASE64.encode(r#"{"x:a":"b","x:n":1}"#)).expect("valid");
    assert_eq!(read, BTreeMap::from([("x:a".into(), "b".into()), ("x:n".into(), "1".into())]));
}

fn value(name: &str) -> Option<Filled> {
    match name {
        "object" => Some(Filled::Text("a/b \"c\"&\u{4e2d}".into())),
        "size" => Some(Filled::Number(5)),
        "x:none" => Some(Filled::Text(String::new())),
        _ => None,
    }
}

#[test]
fn variables_are_filled_in_as_the_body_needs_it() {
    use BodyForm::{Json, UrlEncoded};
    for (form, template, filled) in [
        (UrlEncoded, "object=${object}&size=${size}&x=${x:none}", "object=a%2Fb%20%22c%22%26%E4%B8%AD&size=5&x="),
        (UrlEncoded, "${size}${size}", "55"),
        (UrlEncoded, "a=${unknown}&b=${size", "a=${unknown}&b=${size"),
        (UrlEncoded, "$$ {size} ${}", "$$ {size} ${}"),
        (Json, r#"{"o":${object},"s":${size},"n":${x:none}}"#, "{\"o\":\"a/b \\\"c\\\"&\u{4e2d}\",\"s\":5,\"n\":\"\"}"),
        (
            Json,
            r#"{"o":"${object}","s":"${size}","q":"\"${x:none}"}"#,
            "{\"o\":\"a/b \\\"c\\\"&\u{4e2d}\",\"s\":\"5\",\"q\":\"\\\"\"}",
        ),
    ] {
        assert_eq!(fill(template, form, value).as_deref(), Some(filled), "{template}");
    }
}

#[test]
fn a_body_is_bounded_while_it_is_filled() {
    let long = "v".repeat(30_000);
    let value = |_: &str| Some(Filled::Text(long.clone()));
    assert!(fill(&"${x:a}".repeat(8), BodyForm::UrlEncoded, value).is_some());
    // It would come to 120 MB.
    assert_eq!(fill(&"${x:a}".repeat(4_000), BodyForm::UrlEncoded, value), None);
    assert_eq!(fill(&"x".repeat(limits::CALLBACK_BODY_BYTES_MAX + 1), BodyForm::UrlEncoded, value), None);
}

proptest! {
    /// Whatever a value is, it stays one value: nobody who chooses a key can write into the body.
    #[test]
    fn a_value_never_breaks_out(text in any::<String>()) {
        for (template, inside) in [(r#"{"a":${v},"b":1}"#, false), (r#"{"a":"-${v}-","b":1}"#, true)] {
            let filled = fill(template, BodyForm::Json, |_| Some(Filled::Text(text.clone()))).expect("short");
            let read: Value = serde_json::from_str(&filled).expect("JSON");
            let expected = if inside { format!("-{text}-") } else { text.clone() };
            prop_assert_eq!(read, serde_json::json!({"a": expected, "b": 1}));
        }
        let filled = fill("a=${v}&b=1", BodyForm::UrlEncoded, |_| Some(Filled::Text(text.clone()))).expect("short");
        let value = filled.strip_prefix("a=").and_then(|rest| rest.strip_suffix("&b=1")).expect("two pairs");
        prop_assert!(!value.contains(['&', '=', '+', ' ']));
        let decoded: Vec<u8> = percent_encoding::percent_decode_str(value).collect();
        prop_assert_eq!(decoded, text.into_bytes());
    }
}
