//! Golden documents of a bucket's website, both ways, and what is refused.

use super::super::tests::check;
use super::*;
use crate::store::settings::RedirectAll;

fn read(inside: &str) -> Result<Website, (u16, &'static str)> {
    let body = format!("<WebsiteConfiguration>{inside}</WebsiteConfiguration>");
    read_website_configuration(body.as_bytes()).map_err(|error| (error.status.as_u16(), error.code))
}

/// A website of one rule, with these elements besides its number.
fn rule(inside: &str) -> Result<Website, (u16, &'static str)> {
    read(&format!("<RoutingRules><RoutingRule><RuleNumber>1</RuleNumber>{inside}</RoutingRule></RoutingRules>"))
}

const MALFORMED: (u16, &str) = (400, "MalformedXML");
const ARGUMENT: (u16, &str) = (400, "InvalidArgument");
const NOT_BUILT: (u16, &str) = (501, "NotImplemented");
const EXTERNALLY: &str = "<RedirectType>External</RedirectType>";

#[test]
fn a_whole_website_both_ways() {
    let golden = "<WebsiteConfiguration>
           <IndexDocument><Suffix>index.html</Suffix><SupportSubDir>true</SupportSubDir><Type>2</Type></IndexDocument>
           <ErrorDocument><Key>errors/404.html</Key><HttpStatus>200</HttpStatus></ErrorDocument>
           <RoutingRules>
             <RoutingRule>
               <RuleNumber>1</RuleNumber>
               <Condition>
                 <KeyPrefixEquals>docs/</KeyPrefixEquals>
                 <KeySuffixEquals>.txt</KeySuffixEquals>
                 <HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>
                 <IncludeHeader><Key>host</Key><Equals>a.example</Equals></IncludeHeader>
                 <IncludeHeader>
                   <Key>user-agent</Key><StartsWith>Old</StartsWith><EndsWith>/1</EndsWith>
                 </IncludeHeader>
               </Condition>
               <Redirect>
                 <RedirectType>External</RedirectType>
                 <PassQueryString>true</PassQueryString>
                 <Protocol>https</Protocol>
                 <HostName>b.example:8443</HostName>
                 <EnableReplacePrefix>true</EnableReplacePrefix>
                 <ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith>
                 <HttpRedirectCode>307</HttpRedirectCode>
               </Redirect>
             </RoutingRule>
             <RoutingRule>
               <RuleNumber>2</RuleNumber>
               <Redirect>
                 <RedirectType>External</RedirectType>
                 <PassQueryString>false</PassQueryString>
                 <ReplaceKeyWith>gone/${key}</ReplaceKeyWith>
                 <HttpRedirectCode>301</HttpRedirectCode>
               </Redirect>
             </RoutingRule>
           </RoutingRules>
         </WebsiteConfiguration>";
    let website = read_website_configuration(golden.as_bytes()).expect("valid");
    check(website_configuration(&website), golden);
}

#[test]
fn what_is_not_said_has_its_default() {
    let website = read("<IndexDocument><Suffix>i</Suffix></IndexDocument><ErrorDocument><Key>e</Key></ErrorDocument>");
    check(
        website_configuration(&website.expect("valid")),
        "<WebsiteConfiguration>
           <IndexDocument><Suffix>i</Suffix><SupportSubDir>false</SupportSubDir><Type>0</Type></IndexDocument>
           <ErrorDocument><Key>e</Key><HttpStatus>404</HttpStatus></ErrorDocument>
         </WebsiteConfiguration>",
    );
    let website = rule(&format!("<Redirect>{EXTERNALLY}<HostName>b.example</HostName></Redirect>")).expect("valid");
    let redirect = &website.rules[0].redirect;
    assert_eq!((redirect.status, redirect.status_stated, redirect.pass_query), (302, false, false));
    let without = rule(&format!("<Redirect>{EXTERNALLY}<EnableReplacePrefix>true</EnableReplacePrefix></Redirect>"));
    assert_eq!(without.expect("valid").rules[0].redirect.key, Some(NewKey::Prefix(String::new())));
}

#[test]
fn rules_are_tried_in_the_order_of_their_numbers() {
    let one = |number: &str| {
        let redirect = format!("<Redirect>{EXTERNALLY}<HostName>h{number}</HostName></Redirect>");
        format!("<RoutingRule><RuleNumber>{number}</RuleNumber>{redirect}</RoutingRule>")
    };
    let all = |numbers: &[&str]| {
        let rules: String = numbers.iter().map(|number| one(number)).collect();
        read(&format!("<RoutingRules>{rules}</RoutingRules>"))
    };
    let numbers: Vec<_> = all(&["3", "1", "20"]).expect("valid").rules.iter().map(|rule| rule.number).collect();
    assert_eq!(numbers, [Some(1), Some(3), Some(20)]);
    assert_eq!(all(&["1", "2", "1"]), Err(ARGUMENT));
    assert_eq!(all(&["0"]), Err(ARGUMENT));
    assert_eq!(all(&["first"]), Err(ARGUMENT));
    let most: Vec<String> = (1..=OSS_WEBSITE_RULES_MAX + 1).map(|number| number.to_string()).collect();
    let most: Vec<&str> = most.iter().map(String::as_str).collect();
    assert!(all(&most[..OSS_WEBSITE_RULES_MAX]).is_ok());
    assert_eq!(all(&most), Err(ARGUMENT));
}

#[test]
fn what_cannot_be_or_is_not_done_is_refused() {
    for (inside, expected) in [
        ("", MALFORMED),
        ("<RoutingRules></RoutingRules>", MALFORMED),
        ("<IndexDocument></IndexDocument>", MALFORMED),
        ("<IndexDocument><Suffix/></IndexDocument><ErrorDocument><Key></Key></ErrorDocument>", MALFORMED),
        ("<IndexDocument><Suffix>a/b</Suffix></IndexDocument>", ARGUMENT),
        ("<IndexDocument><Suffix>i</Suffix><Type>3</Type></IndexDocument>", ARGUMENT),
        ("<IndexDocument><Suffix>i</Suffix><SupportSubDir>x</SupportSubDir></IndexDocument>", MALFORMED),
        ("<ErrorDocument></ErrorDocument>", MALFORMED),
        ("<ErrorDocument><Key>e</Key><HttpStatus>500</HttpStatus></ErrorDocument>", ARGUMENT),
        ("<RoutingRules><RoutingRule><Redirect/></RoutingRule></RoutingRules>", MALFORMED),
    ] {
        assert_eq!(read(inside), Err(expected), "{inside}");
    }
    let long = "k".repeat(1024);
    let long = read(&format!("<ErrorDocument><Key>{long}</Key></ErrorDocument>"));
    assert_eq!(long, Err((400, "InvalidObjectName")));
    let redirect = |inside: &str| rule(&format!("<Redirect>{inside}</Redirect>"));
    for (inside, expected) in [
        ("<RedirectType>Mirror</RedirectType><MirrorURL>http://a.example/</MirrorURL>", NOT_BUILT),
        ("<RedirectType>AliCDN</RedirectType>", NOT_BUILT),
        ("<RedirectType>Internal</RedirectType>", NOT_BUILT),
        ("<RedirectType>Elsewhere</RedirectType>", ARGUMENT),
        ("<HostName>a.example</HostName>", ARGUMENT),
        (&format!("{EXTERNALLY}<Protocol>ftp</Protocol>"), ARGUMENT),
        (&format!("{EXTERNALLY}<HttpRedirectCode>300</HttpRedirectCode>"), ARGUMENT),
        (&format!("{EXTERNALLY}<HttpRedirectCode>404</HttpRedirectCode>"), ARGUMENT),
        (&format!("{EXTERNALLY}<HostName>a.example/b</HostName>"), ARGUMENT),
        (&format!("{EXTERNALLY}<HostName>a.example\r\nSet-Cookie: a</HostName>"), ARGUMENT),
        (
            &format!("{EXTERNALLY}<ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"),
            ARGUMENT,
        ),
    ] {
        assert_eq!(redirect(inside), Err(expected), "{inside}");
    }
    assert_eq!(rule(""), Err(MALFORMED));
    assert_eq!(rule(&format!("<LuaConfig/><Redirect>{EXTERNALLY}</Redirect>")), Err(NOT_BUILT));
    let condition = |inside: &str| rule(&format!("<Condition>{inside}</Condition><Redirect>{EXTERNALLY}</Redirect>"));
    for code in ["200", "600", "not found"] {
        let of = format!("<HttpErrorCodeReturnedEquals>{code}</HttpErrorCodeReturnedEquals>");
        assert_eq!(condition(&of), Err(ARGUMENT), "{code}");
    }
    assert_eq!(condition("<IncludeHeader><Equals>a</Equals></IncludeHeader>"), Err(MALFORMED));
    let prefix = format!("<KeyPrefixEquals>{}</KeyPrefixEquals>", "p".repeat(WEBSITE_BYTES_MAX));
    assert_eq!(condition(&prefix), Err(ARGUMENT));
}

#[test]
fn what_only_the_other_dialect_sets_comes_out_as_what_it_is_here() {
    let everything = Website {
        redirect_all: Some(RedirectAll { host_name: "b.example".into(), protocol: Some(Protocol::Https) }),
        ..Website::default()
    };
    check(
        website_configuration(&everything),
        "<WebsiteConfiguration><RoutingRules><RoutingRule>
           <RuleNumber>1</RuleNumber>
           <Redirect>
             <RedirectType>External</RedirectType>
             <PassQueryString>true</PassQueryString>
             <Protocol>https</Protocol>
             <HostName>b.example</HostName>
             <HttpRedirectCode>301</HttpRedirectCode>
           </Redirect>
         </RoutingRule></RoutingRules></WebsiteConfiguration>",
    );
    let error = Some(ErrorDocument { key: "e".into(), status: None });
    check(
        website_configuration(&Website { error, ..Website::default() }),
        "<WebsiteConfiguration><ErrorDocument><Key>e</Key><HttpStatus>404</HttpStatus></ErrorDocument>
         </WebsiteConfiguration>",
    );
}
