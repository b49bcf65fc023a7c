//! The nine LiveChannel operations.

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderValue};
use md5::{Digest, Md5};

use super::error::OssError;
use super::object::etag_value;
use super::operation::{ListLiveChannelQuery, VodRange};
use super::service::Ask;
use super::urls::{self, ChannelUrls};
use super::xml::{self, ChannelState};
use crate::auth::access::Action;
use crate::http::body::{Content, RequestBody};
use crate::http::server::Answer;
use crate::limits;
use crate::live::channel::ChannelRuleError;
use crate::live::vod::vod_playlist;
use crate::store::objects::{Digests, PutRequest};
use crate::store::{
    BucketName, BucketRecord, ChannelConfig, ChannelName, ChannelRecord, ChannelStatus, ContentHeaders, ETag,
    ObjectAttributes, ObjectKey, ObjectKind, StorageClass, TerminationCause, WriteCondition,
};

/// Sessions that GetLiveChannelHistory shows.
const HISTORY_SHOWN: usize = 10;
/// The type of every playlist that is stored or sent.
const PLAYLIST_TYPE: &str = "application/x-mpegURL";

pub(super) async fn put(ask: &Ask<'_>, body: &mut RequestBody, channel: &ChannelName) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ManageLiveChannel)?;
    let document = ask.document(body, limits::OSS_XML_BYTES_MAX).await?;
    let settings = xml::read_live_channel_configuration(&document)?;
    let config = settings.validate().map_err(OssError::from_channel_rule)?;
    check_snapshot_bucket(ask, bucket, &config).await?;
    let only_if_absent = ask.forbids_overwrite()?;
    let put = ask.deps.meta.put_channel(bucket.id, channel, config, only_if_absent, ask.now).await;
    let record = put.map_err(|error| ask.channel_error(error, channel.as_str()))?;
    let urls = urls_of(ask, bucket, &record);
    Ok(Answer::xml(xml::create_live_channel_result(&urls.publish, &urls.play)))
}

/// Pictures may only go to a bucket of the same owner.
async fn check_snapshot_bucket(ask: &Ask<'_>, bucket: &BucketRecord, config: &ChannelConfig) -> Result<(), OssError> {
    let Some(snapshot) = &config.snapshot else { return Ok(()) };
    let dest = match BucketName::new(&snapshot.dest_bucket) {
        Some(name) => ask.deps.meta.bucket(&name).await.map_err(|error| ask.store_error(error))?,
        None => None,
    };
    match dest {
        Some(dest) if dest.owner == bucket.owner => Ok(()),
        _ => Err(OssError::from_channel_rule(ChannelRuleError::SnapshotDestBucket)),
    }
}

pub(super) async fn put_status(
    ask: &Ask<'_>,
    channel: &ChannelName,
    status: ChannelStatus,
) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ManageLiveChannel)?;
    let set = ask.deps.meta.set_channel_status(bucket.id, channel, status, ask.now).await;
    set.map_err(|error| ask.channel_error(error, channel.as_str()))?;
    if status == ChannelStatus::Disabled {
        ask.deps.registry.disconnect(bucket.id, channel, TerminationCause::Disabled);
    }
    Ok(Answer::empty(StatusCode::OK))
}

/// The document holds what OSS has; what the typed client needs beyond it travels in headers.
pub(super) async fn info(ask: &Ask<'_>, channel: &ChannelName) -> Result<Answer, OssError> {
    let record = existing(ask, channel).await?;
    let mut answer = Answer::xml(xml::live_channel_configuration(&record.config));
    let name = record.config.display_name.as_deref().unwrap_or(channel.as_str());
    for (header, text) in [
        ("x-livebucket-channel-name", urls::encode(name)),
        ("x-livebucket-create-time", xml::time_text(record.created)),
        ("x-livebucket-last-modified", xml::time_text(record.last_modified)),
    ] {
        answer.headers.insert(header, HeaderValue::from_str(&text).expect("encoded text is a header value"));
    }
    Ok(answer)
}

pub(super) async fn stat(ask: &Ask<'_>, channel: &ChannelName) -> Result<Answer, OssError> {
    let record = existing(ask, channel).await?;
    let stat = ask.deps.registry.stat(record.bucket, channel);
    Ok(Answer::xml(xml::live_channel_stat(ChannelState::of(record.config.status, stat.as_ref()))))
}

pub(super) async fn history(ask: &Ask<'_>, channel: &ChannelName) -> Result<Answer, OssError> {
    let record = existing(ask, channel).await?;
    let connections = ask.deps.meta.history(record.bucket, channel, HISTORY_SHOWN).await;
    let connections = connections.map_err(|error| ask.channel_error(error, channel.as_str()))?;
    Ok(Answer::xml(xml::live_channel_history(&connections)))
}

pub(super) async fn list(ask: &Ask<'_>, query: &ListLiveChannelQuery) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ManageLiveChannel)?;
    let page = ask.deps.meta.list_channels(bucket.id, &query.prefix, &query.marker, query.max_keys).await;
    let page = page.map_err(|error| ask.store_error(error))?;
    let address = ask.known().bucket_address(bucket.name.as_str());
    let urls = |record: &ChannelRecord| {
        let urls = address.channel(record.name.as_str(), &record.config.playlist_name);
        (urls.publish, urls.play)
    };
    Ok(Answer::xml(xml::list_live_channels(query, &page, urls)))
}

/// 204 also when there was none.
pub(super) async fn delete(ask: &Ask<'_>, channel: &ChannelName) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ManageLiveChannel)?;
    let deleted = ask.deps.meta.delete_channel(bucket.id, channel).await;
    deleted.map_err(|error| ask.channel_error(error, channel.as_str()))?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

pub(super) async fn post_vod(
    ask: &Ask<'_>,
    channel: &ChannelName,
    playlist_name: &str,
    range: VodRange,
) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ManageLiveChannel)?;
    let text = vod_text(ask, bucket, channel, range).await?;
    let mut writer = ask.deps.objects.writer(Digests::Md5AndCrc64);
    writer.write(text).await.map_err(|error| ask.store_error(error))?;
    let body = writer.finish().await.map_err(|error| ask.store_error(error))?;
    let key = ObjectKey::in_channel(channel, playlist_name);
    let request = PutRequest {
        bucket: bucket.id,
        key: key.clone(),
        kind: ObjectKind::Normal,
        headers: ContentHeaders {
            content_type: Some(Bytes::from_static(PLAYLIST_TYPE.as_bytes())),
            ..ContentHeaders::default()
        },
        user_metadata: Vec::new(),
        tags: Vec::new(),
        storage_class: StorageClass::default(),
        attributes: ObjectAttributes::default(),
        acl: None,
        condition: WriteCondition::Always,
        expected_md5: None,
    };
    let object = ask.deps.objects.put(request, body).await.map_err(|error| ask.key_error(error, &key))?;
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::ETAG, etag_value(object.etag));
    Ok(answer)
}

pub(super) async fn get_vod(ask: &Ask<'_>, channel: &ChannelName, range: VodRange) -> Result<Answer, OssError> {
    let bucket = ask.bucket_for(Action::ManageLiveChannel)?;
    let text = vod_text(ask, bucket, channel, range).await?;
    let digest: [u8; 16] = Md5::digest(&text).into();
    let mut answer = Answer::empty(StatusCode::OK);
    answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PLAYLIST_TYPE));
    answer.headers.insert(header::ETAG, etag_value(ETag { digest, parts: None }));
    answer.content = Content::Bytes(text);
    Ok(answer)
}

/// The playlist of the fragments whose names lie in the range. An unknown channel has none, which client tests expect to
/// be said with the same error.
async fn vod_text(
    ask: &Ask<'_>,
    bucket: &BucketRecord,
    channel: &ChannelName,
    range: VodRange,
) -> Result<Bytes, OssError> {
    let record = ask.deps.meta.channel(bucket.id, channel).await;
    record.map_err(|error| ask.store_error(error))?.ok_or_else(OssError::no_fragment_in_span)?;
    let (from_ms, to_ms) = (range.start.saturating_mul(1_000), range.end.saturating_mul(1_000));
    let fragments = ask.deps.meta.fragments(bucket.id, channel, from_ms, to_ms).await;
    let fragments = fragments.map_err(|error| ask.store_error(error))?;
    let playlist = vod_playlist(&fragments).ok_or_else(OssError::no_fragment_in_span)?;
    Ok(Bytes::from(playlist.render()))
}

/// The channel, when the caller may manage it.
async fn existing(ask: &Ask<'_>, channel: &ChannelName) -> Result<ChannelRecord, OssError> {
    let bucket = ask.bucket_for(Action::ManageLiveChannel)?;
    let record = ask.deps.meta.channel(bucket.id, channel).await.map_err(|error| ask.store_error(error))?;
    record.ok_or_else(|| OssError::no_such_live_channel(channel.as_str()))
}

fn urls_of(ask: &Ask<'_>, bucket: &BucketRecord, record: &ChannelRecord) -> ChannelUrls {
    let address = ask.known().bucket_address(bucket.name.as_str());
    address.channel(record.name.as_str(), &record.config.playlist_name)
}
