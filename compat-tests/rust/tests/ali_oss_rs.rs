//! Everyday calls of `ali-oss-rs`, an OSS SDK in Rust: virtual hosts and V4 signatures, which are all it has.
//!
//! The server is named by the environment, as for the other suites.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ali_oss_rs::acl::ObjectAclOperations;
use ali_oss_rs::bucket::BucketOperations;
use ali_oss_rs::bucket_common::{ListBucketsOptions, ListObjectsOptionsBuilder, PutBucketConfiguration};
use ali_oss_rs::common::{MetadataDirective, ObjectType};
use ali_oss_rs::error::Error;
use ali_oss_rs::multipart::MultipartUploadsOperations;
use ali_oss_rs::multipart_common::{
    CompleteMultipartUploadRequest, ListMultipartUploadsOptionsBuilder, UploadPartCopyOptionsBuilder,
    UploadPartCopyRequest, UploadPartRequest,
};
use ali_oss_rs::object::ObjectOperations;
use ali_oss_rs::object_common::{
    CopyObjectOptionsBuilder, DeleteMultipleObjectsConfig, GetObjectOptionsBuilder, ObjectAcl, PutObjectOptionsBuilder,
};
use ali_oss_rs::presign_common::PresignGetOptionsBuilder;
use ali_oss_rs::tagging::ObjectTagOperations;
use ali_oss_rs::{Client, ClientBuilder};

const PART: usize = 100 * 1024;

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} names the server; `compat-tests/run rust` sets it"))
}

fn client() -> Client {
    let (key, secret) = (setting("LIVEBUCKET_ACCESS_KEY"), setting("LIVEBUCKET_SECRET_KEY"));
    let builder = ClientBuilder::new(key, secret, setting("LIVEBUCKET_NAME_ENDPOINT"));
    builder.region(setting("LIVEBUCKET_REGION")).build().expect("a client")
}

/// A client and a new bucket.
async fn with_bucket(name: &str) -> (Client, String) {
    let (client, bucket) = (client(), format!("rust-{name}"));
    client.put_bucket(&bucket, PutBucketConfiguration::default(), None).await.expect("a bucket");
    (client, bucket)
}

async fn remove(client: &Client, bucket: &str) {
    loop {
        let page = client.list_objects(bucket, None).await.expect("a page");
        let keys: Vec<String> = page.contents.into_iter().map(|one| one.key).collect();
        if keys.is_empty() {
            break;
        }
        client.delete_multiple_objects(bucket, DeleteMultipleObjectsConfig::FromKeys(&keys)).await.expect("deleted");
    }
    client.delete_bucket(bucket).await.expect("deleted");
}

fn noise(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// The code of the service's error.
fn code<T>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::ApiError(error)) => error.code,
        Err(other) => panic!("not an error of the service: {other}"),
        Ok(_) => panic!("it succeeded"),
    }
}

#[tokio::test]
async fn buckets() {
    let (client, bucket) = with_bucket("buckets").await;
    let options = ListBucketsOptions { prefix: Some("rust-buckets".into()), ..ListBucketsOptions::default() };
    let listed = client.list_buckets(Some(options)).await.expect("a list");
    assert_eq!(listed.buckets.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), [bucket.as_str()]);
    let info = client.get_bucket_info(&bucket).await.expect("its info");
    let region = setting("LIVEBUCKET_REGION");
    assert_eq!((info.name, info.location), (bucket.clone(), format!("oss-{region}")));
    assert_eq!(client.get_bucket_location(&bucket).await.expect("its location"), format!("oss-{region}"));
    client.put_object_from_buffer(&bucket, "four", b"four".to_vec(), None).await.expect("stored");
    let stat = client.get_bucket_stat(&bucket).await.expect("its figures");
    assert_eq!((stat.object_count, stat.storage, stat.live_channel_count), (1, 4, 0));
    assert_eq!(code(client.delete_bucket(&bucket).await), "BucketNotEmpty");
    remove(&client, &bucket).await;
    assert_eq!(code(client.get_bucket_info(&bucket).await), "NoSuchBucket");
}

#[tokio::test]
async fn objects_of_odd_keys_go_up_and_come_down() {
    let (client, bucket) = with_bucket("objects").await;
    // The client does not encode what a URL takes for its own: no `%`, `?` and `#`.
    for key in ["plain", "a//b c/+&=测试", "~!@$^*()_-;:,", "ü/漢字.txt"] {
        let body = noise(70_001);
        let options = PutObjectOptionsBuilder::new()
            .mime_type("text/x-rust")
            .cache_control("max-age=5")
            .metadata("x-oss-meta-a", "1")
            .tag("team", "a b")
            .build();
        client.put_object_from_buffer(&bucket, key, body.clone(), Some(options)).await.expect("stored");
        assert_eq!(client.get_object_to_buffer(&bucket, key, None).await.expect("read"), body, "{key}");
        let head = client.head_object(&bucket, key, None).await.expect("its head");
        assert_eq!((head.content_length, head.tag_count), (70_001, Some(1)));
        assert_eq!(head.metadata.get("x-oss-meta-a").map(String::as_str), Some("1"));
        assert_eq!(head.raw_headers.get("content-type").map(String::as_str), Some("text/x-rust"));
        assert!(client.exists(&bucket, key, None).await.expect("an answer"));
        let range = GetObjectOptionsBuilder::new().range("bytes=5-9").build();
        assert_eq!(client.get_object_to_buffer(&bucket, key, Some(range)).await.expect("read"), body[5..10]);
    }
    assert!(!client.exists(&bucket, "none", None).await.expect("an answer"));
    assert_eq!(code(client.get_object_to_buffer(&bucket, "none", None).await), "NoSuchKey");
    let once = || Some(PutObjectOptionsBuilder::new().forbid_overwrite(true).build());
    assert_eq!(code(client.put_object_from_buffer(&bucket, "plain", b"x".to_vec(), once()).await), "FileAlreadyExists");
    remove(&client, &bucket).await;
}

#[tokio::test]
async fn files_and_progress() {
    let (client, bucket) = with_bucket("files").await;
    let dir = std::env::temp_dir().join(format!("livebucket-rust-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let (from, to) = (dir.join("from"), dir.join("to"));
    let body = noise(1_500_003);
    std::fs::write(&from, &body).expect("written");
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let options = PutObjectOptionsBuilder::new().progress(move |done, _| count.store(done, Ordering::Relaxed)).build();
    client.put_object_from_file(&bucket, "file", &from, Some(options)).await.expect("stored");
    assert_eq!(sent.load(Ordering::Relaxed), body.len() as u64);
    client.get_object_to_file(&bucket, "file", &to, None).await.expect("read");
    assert_eq!(std::fs::read(&to).expect("there"), body);
    std::fs::remove_dir_all(&dir).expect("removed");
    client.create_folder(&bucket, "folder/").await.expect("made");
    let page = client.list_objects(&bucket, None).await.expect("a page");
    let found: Vec<_> = page.contents.iter().map(|one| (one.key.as_str(), one.size)).collect();
    assert_eq!(found, [("file", body.len() as u64), ("folder/", 0)]);
    remove(&client, &bucket).await;
}

#[tokio::test]
async fn listings() {
    let (client, bucket) = with_bucket("listings").await;
    let keys = ["l/1", "l/2/a", "l/2/b", "l/3", "l/4 + é"];
    for key in keys {
        client.put_object_from_buffer(&bucket, key, key.as_bytes().to_vec(), None).await.expect("stored");
    }
    let (mut token, mut found) = (None::<String>, Vec::new());
    loop {
        let mut options = ListObjectsOptionsBuilder::default().prefix("l/").max_keys(2);
        if let Some(token) = token.take() {
            options = options.continuation_token(token);
        }
        let page = client.list_objects(&bucket, Some(options.build())).await.expect("a page");
        found.extend(page.contents.into_iter().map(|one| (one.key, one.size)));
        token = page.next_continuation_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, keys.map(|key| (key.to_owned(), key.len() as u64)));
    let options = ListObjectsOptionsBuilder::default().prefix("l/").delimiter('/').build();
    let page = client.list_objects(&bucket, Some(options)).await.expect("a page");
    assert_eq!(page.contents.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["l/1", "l/3", "l/4 + é"]);
    assert_eq!(page.common_prefixes, ["l/2/"]);
    remove(&client, &bucket).await;
}

#[tokio::test]
async fn copies_tags_and_acls() {
    let (client, bucket) = with_bucket("copies").await;
    let dressed = PutObjectOptionsBuilder::new().metadata("x-oss-meta-a", "1").tag("t", "1").build();
    client.put_object_from_buffer(&bucket, "from ü", b"body".to_vec(), Some(dressed)).await.expect("stored");
    client.copy_object(&bucket, "from ü", &bucket, "to", None).await.expect("copied");
    assert_eq!(client.get_object_to_buffer(&bucket, "to", None).await.expect("read"), b"body");
    let tags = client.get_object_tags(&bucket, "to", None).await.expect("its tags");
    assert_eq!(tags, HashMap::from([("t".to_owned(), "1".to_owned())]));
    let replace = CopyObjectOptionsBuilder::new()
        .metadata_directive(MetadataDirective::Replace)
        .metadata("x-oss-meta-b", "2")
        .build();
    client.copy_object(&bucket, "from ü", &bucket, "to", Some(replace)).await.expect("copied");
    let head = client.head_object(&bucket, "to", None).await.expect("its head");
    assert_eq!(head.metadata.keys().collect::<Vec<_>>(), ["x-oss-meta-b"]);

    let tags = HashMap::from([("a b".to_owned(), "1+2".to_owned()), ("c".to_owned(), "x:y/z".to_owned())]);
    client.put_object_tags(&bucket, "to", tags.clone(), None).await.expect("set");
    assert_eq!(client.get_object_tags(&bucket, "to", None).await.expect("its tags"), tags);
    client.delete_object_tags(&bucket, "to", None).await.expect("taken");
    assert!(client.get_object_tags(&bucket, "to", None).await.expect("its tags").is_empty());

    assert!(client.get_object_acl(&bucket, "to", None).await.expect("its ACL") == ObjectAcl::Default);
    client.put_object_acl(&bucket, "to", ObjectAcl::PublicRead, None).await.expect("set");
    assert!(client.get_object_acl(&bucket, "to", None).await.expect("its ACL") == ObjectAcl::PublicRead);
    remove(&client, &bucket).await;
}

#[tokio::test]
async fn appends() {
    let (client, bucket) = with_bucket("appends").await;
    let first = client.append_object_from_buffer(&bucket, "log", b"one,".to_vec(), 0, None).await;
    let position = first.expect("appended").next_append_position;
    let second = client.append_object_from_buffer(&bucket, "log", b"two".to_vec(), position, None).await;
    assert_eq!(second.expect("appended").next_append_position, 7);
    assert_eq!(client.get_object_to_buffer(&bucket, "log", None).await.expect("read"), b"one,two");
    let head = client.head_object(&bucket, "log", None).await.expect("its head");
    assert!(head.object_type == Some(ObjectType::Appendable) && head.next_append_position == Some(7));
    let wrong = client.append_object_from_buffer(&bucket, "log", b"x".to_vec(), 3, None).await;
    assert_eq!(code(wrong), "PositionNotEqualToLength");
    remove(&client, &bucket).await;
}

#[tokio::test]
async fn multipart_uploads() {
    let (client, bucket) = with_bucket("parts").await;
    let source = noise(2 * PART);
    client.put_object_from_buffer(&bucket, "source", source.clone(), None).await.expect("stored");
    let begun = client.initiate_multipart_uploads(&bucket, "big +é", None).await.expect("begun");
    let upload = begun.upload_id;
    let mut parts = Vec::new();
    for (number, body) in [(1, noise(PART + 1)), (3, b"the end".to_vec())] {
        let request = UploadPartRequest::new(number, &upload);
        let part = client.upload_part_from_buffer(&bucket, "big +é", body, request).await.expect("stored");
        parts.push((number, part.etag));
    }
    let request = UploadPartCopyRequest::new(2, &upload, "source");
    let options = UploadPartCopyOptionsBuilder::new().copy_source_range(format!("bytes=0-{}", PART - 1)).build();
    let part = client.upload_part_copy(&bucket, "big +é", request, Some(options)).await.expect("copied");
    parts.insert(1, (2, part.etag));
    let listed = client.list_parts(&bucket, "big +é", &upload, None).await.expect("a list");
    let numbers: Vec<_> = listed.parts.iter().map(|part| (part.part_number, part.size as usize)).collect();
    assert_eq!(numbers, [(1, PART + 1), (2, PART), (3, 7)]);
    let request = CompleteMultipartUploadRequest { upload_id: upload, parts };
    client.complete_multipart_uploads(&bucket, "big +é", request, None).await.expect("completed");
    let whole = [noise(PART + 1), source[..PART].to_vec(), b"the end".to_vec()].concat();
    assert_eq!(client.get_object_to_buffer(&bucket, "big +é", None).await.expect("read"), whole);

    let left = client.initiate_multipart_uploads(&bucket, "left", None).await.expect("begun").upload_id;
    let options = ListMultipartUploadsOptionsBuilder::new().prefix("le").build();
    let open = client.list_multipart_uploads(&bucket, Some(options)).await.expect("a list");
    assert_eq!(open.uploads.iter().map(|one| one.upload_id.as_str()).collect::<Vec<_>>(), [left.as_str()]);
    client.abort_multipart_uploads(&bucket, "left", &left).await.expect("aborted");
    assert_eq!(code(client.list_parts(&bucket, "left", &left, None).await), "NoSuchUpload");
    remove(&client, &bucket).await;
}

#[tokio::test]
async fn presigned_urls_and_wrong_keys() {
    let (client, bucket) = with_bucket("urls").await;
    client.put_object_from_buffer(&bucket, "url ü", b"by url".to_vec(), None).await.expect("stored");
    let url = client.presign_url(&bucket, "url ü", PresignGetOptionsBuilder::new(60).build());
    let got = reqwest::get(&url).await.expect("an answer");
    assert_eq!((got.status().as_u16(), got.text().await.expect("text")), (200, "by url".to_owned()));
    let bent = url.replacen("url", "urls", 1);
    assert_ne!(reqwest::get(&bent).await.expect("an answer").status().as_u16(), 200);
    let builder = ClientBuilder::new(setting("LIVEBUCKET_ACCESS_KEY"), "wrong", setting("LIVEBUCKET_NAME_ENDPOINT"));
    let other = builder.region(setting("LIVEBUCKET_REGION")).build().expect("a client");
    assert_eq!(code(other.get_object_to_buffer(&bucket, "url ü", None).await), "SignatureDoesNotMatch");
    remove(&client, &bucket).await;
}
