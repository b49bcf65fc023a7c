//! CORS rules, both ways, and those that are refused.

use super::super::tests::check;
use super::*;

#[test]
fn cors_configuration_reads_back_as_it_was_rendered() {
    let cors = CorsConfig {
        rules: vec![
            CorsRule {
                allowed_origins: vec!["https://*.example.com".into(), "*".into()],
                allowed_methods: vec!["GET".into(), "HEAD".into()],
                allowed_headers: vec!["x-oss-*".into()],
                expose_headers: vec!["ETag".into()],
                max_age_seconds: Some(600),
            },
            CorsRule {
                allowed_origins: vec!["http://localhost:3000".into()],
                allowed_methods: vec!["PUT".into()],
                ..CorsRule::default()
            },
        ],
        response_vary: true,
    };
    let document = cors_configuration(&cors);
    check(
        document.clone(),
        "<CORSConfiguration>
           <CORSRule>
             <AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedOrigin>*</AllowedOrigin>
             <AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod>
             <AllowedHeader>x-oss-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>
             <MaxAgeSeconds>600</MaxAgeSeconds>
           </CORSRule>
           <CORSRule>
             <AllowedOrigin>http://localhost:3000</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
           </CORSRule>
           <ResponseVary>true</ResponseVary>
         </CORSConfiguration>",
    );
    assert_eq!(read_cors_configuration(&document), Ok(cors));
}

#[test]
fn broken_cors_rules() {
    let code = |rules: &str| {
        let body = format!("<CORSConfiguration>{rules}</CORSConfiguration>");
        read_cors_configuration(body.as_bytes()).map(|c| c.rules.len()).map_err(|e| e.code)
    };
    let rule = |inside: &str| format!("<CORSRule>{inside}</CORSRule>");
    let valid = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";
    assert_eq!(code(&rule(valid).repeat(20)), Ok(20));
    assert_eq!(code(&rule(valid).repeat(21)), Err("InvalidArgument"));
    assert_eq!(code(""), Err("MalformedXML"));
    assert_eq!(code(&rule("<AllowedOrigin>*</AllowedOrigin>")), Err("MalformedXML"));
    assert_eq!(code(&rule("<AllowedMethod>GET</AllowedMethod>")), Err("MalformedXML"));
    for broken in [
        "<AllowedOrigin>*.*</AllowedOrigin>",
        "<AllowedMethod>PATCH</AllowedMethod>",
        "<AllowedHeader>**</AllowedHeader>",
        "<ExposeHeader>x-*</ExposeHeader>",
        "<ExposeHeader>x&#28;y</ExposeHeader>",
        "<AllowedOrigin>http://\u{e9}.example</AllowedOrigin>",
        "<AllowedHeader>x&#10;y</AllowedHeader>",
        "<MaxAgeSeconds>-1</MaxAgeSeconds>",
    ] {
        assert_eq!(code(&rule(&format!("{valid}{broken}"))), Err("InvalidArgument"), "{broken}");
    }
}
