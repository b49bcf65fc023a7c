//! Signatures of browser forms: what is signed is the base64 text of a policy, and nothing else of the form.
//!
//! "PostObject" of the OSS API reference; "Browser-based uploads using POST" of the Amazon S3 API reference. (OSS has no
//! version 2 of it.)

use super::{oss_v1, oss_v4, same, sig_v4};

/// Whether `secret` signed the policy the old way, which OSS V1 and S3 V2 share: base64 of the HMAC-SHA1.
pub fn verify_v1(policy: &str, secret: &str, provided: &str) -> bool {
    same(oss_v1::signature(secret, policy.as_bytes()), provided)
}

/// Whether `secret` signed the policy with OSS V4: lower-case hex.
pub fn verify_oss_v4(policy: &str, scope: &oss_v4::Scope<'_>, secret: &str, provided: &str) -> bool {
    same(oss_v4::signature(secret, scope, policy), provided)
}

/// Whether `secret` signed the policy with S3's V4. `scope` is `{date}/{region}/{service}/aws4_request`.
pub fn verify_sig_v4(policy: &str, scope: &str, secret: &str, provided: &str) -> bool {
    same(sig_v4::signature(secret, scope, policy), provided)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the Amazon S3 API reference, "Browser-Based Upload using HTTP POST (Using AWS Signature Version 4)".
    const POLICY: &str = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";

    #[test]
    fn the_published_example_verifies() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let scope = "20151229/us-east-1/s3/aws4_request";
        let signature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
        assert!(verify_sig_v4(POLICY, scope, secret, signature));
        assert!(!verify_sig_v4(POLICY, scope, "another", signature));
        assert!(!verify_sig_v4(&POLICY[1..], scope, secret, signature));
    }

    // Computed with Python's hmac module.
    #[test]
    fn the_oss_signatures_verify() {
        let policy = "eyJleHBpcmF0aW9uIjoiMjAyMy0xMS0xNVQwMDowMDowMFoiLCJjb25kaXRpb25zIjpbXX0=";
        assert!(verify_v1(policy, "ownerSecret", "3xA0cqqGGMF9gpOv+VOw19Jxah0="));
        assert!(!verify_v1(policy, "ownerSecre", "3xA0cqqGGMF9gpOv+VOw19Jxah0="));
        let scope = oss_v4::Scope::read("20231114/cn-hangzhou/oss/aliyun_v4_request").expect("a scope");
        let signature = "8f65bab9e14592aae97d0811115fb81534f887bade5d954836e23d5f002b0bb7";
        assert!(verify_oss_v4(policy, &scope, "ownerSecret", signature));
        assert!(!verify_oss_v4(policy, &scope, "ownerSecret", &signature.to_uppercase()));
    }
}
