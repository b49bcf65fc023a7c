//! Every bound of the service, each with its reason.
//!
//! A bound that an operator may have to move is a configuration key whose default stands here.

use std::time::Duration;

// ---- base and doors ------------------------------------------------------------------------------------------

/// Sockets served at once over all doors but the admin's: a descriptor and a task each, well under the usual 64 Ki
/// descriptors. The next one waits in the system's backlog.
pub const SOCKETS_MAX: usize = 16_384;
/// Most that an operator may ask for: what Linux gives one process in descriptors, by default.
pub const SOCKETS_CONFIGURED_MAX: usize = 1_048_576;
/// Sockets of the admin door, which has its own: whoever looks after the service must reach it while a flood has the rest.
pub const ADMIN_SOCKETS_MAX: usize = 64;
/// Descriptors that sockets leave to files: the database, growing fragments and bodies that are read.
pub const FILE_DESCRIPTORS_KEPT: u64 = 2_048;
/// Sockets of one address: a sixteenth of all, which a thousand players behind one address translator stay below, since
/// each holds one for some seconds.
pub const SOCKETS_PER_ADDRESS_MAX: usize = 1_024;
/// Leading bits by which IPv6 addresses are counted: a customer is given so many, and chooses the rest as he likes.
pub const SOURCE_PREFIX_V6: u8 = 64;
/// Refused publishes and bad signatures of one address a second that are answered at once: a hundred encoders whose key was
/// taken away, each of which tries again every ten seconds.
pub const REFUSALS_PER_SECOND: u32 = 10;
/// Most that an operator may ask for: more is no bound, and 0 says so plainly.
pub const REFUSALS_PER_SECOND_MAX: u32 = 1_000_000;
/// So many seconds' worth of them are saved up, for the moment in which all those encoders come at once.
pub const REFUSAL_BURST_SECONDS: u32 = 10;
/// How long a refusal that is over waits for its answer. With the sockets of an address it bounds its refusals: a thousand
/// a second at most, each of which costs it a socket for this long and a new one after it.
pub const REFUSAL_PAUSE: Duration = Duration::from_secs(1);
/// Addresses whose refusals are counted each for itself, some 64 bytes each. Of those beyond all are counted as one.
pub const REFUSAL_SOURCES_MAX: usize = 16_384;
/// What was turned away at the doors is one line in the log for each such span.
pub const CROWD_REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// The first byte tells the protocol; a peer that sends none costs a socket for this long.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// A TLS handshake that takes longer is an attack or a dead path.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// After a failed accept (no descriptors left) the door waits this long instead of spinning.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Outbound requests under way: each holds a descriptor and, for its time, a request of ours that waits for it.
pub const OUTBOUND_REQUESTS_MAX: usize = 256;
/// Names looked up at once: each look-up holds a thread until the resolver gives up, which may be half a minute.
pub const OUTBOUND_LOOKUPS_MAX: usize = 16;
/// A look-up before anything is sent: a name that takes longer is judged when it is connected to.
pub const OUTBOUND_LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection within a continent takes a tenth of a second; one that hangs leaves time for the next address.
pub const OUTBOUND_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Addresses of a name that are tried: both families, and a second of each.
pub const OUTBOUND_ADDRESSES_TRIED_MAX: usize = 4;
/// Bytes of an answer that are read ahead, its head among them.
pub const OUTBOUND_READ_BUFFER_MAX: usize = 16 * 1024;
/// All of a graceful stop: orchestrators kill after 30 s.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

// ---- RTMP ----------------------------------------------------------------------------------------------------

/// From the first byte to the answered `connect` command: handshakes take milliseconds, a silent peer costs a task.
pub const RTMP_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From there to an accepted `publish`, however much a peer talks: nobody who does not publish may stay.
pub const RTMP_PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// A publisher that sends no byte for this long is gone. Its last fragment is committed next, and within 30 s of its last
/// byte the channel is free for its return.
pub const RTMP_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Replies are small: a peer that does not read them within this time is gone.
pub const RTMP_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// After a refusal the socket is read and thrown away for this long, so that a reset does not destroy the answer.
pub const RTMP_LINGER: Duration = Duration::from_secs(2);
/// One read of a socket that does not publish yet: its commands fit, and ten thousand idle sockets cost 40 MiB.
pub const RTMP_COMMAND_BYTES: usize = 4 * 1024;
/// One read of a publisher's socket: a key frame of a usual stream in one call. One buffer for each thread of the runtime.
pub const RTMP_READ_BYTES: usize = 128 * 1024;
/// A publisher's socket reports itself when this much waits; less is taken at the next tick. A 10 Mbit/s stream stays
/// below, a sender that is faster is read as it comes.
pub const RTMP_READ_LOW_WATER: usize = 128 * 1024;
/// How long what a publisher sent may wait to be read, when it is little: ten reads a second instead of one for each frame.
/// The ticks of all sockets fall together, so that they share their wake-ups.
pub const RTMP_READ_TICK: Duration = Duration::from_millis(100);
/// After so many ticks without a byte a publisher's socket reports itself again: a thousand encoders that pause are not asked
/// ten thousand times a second. Two seconds, so that slow pictures alone do not bring it about.
pub const RTMP_SILENT_TICKS: u32 = 20;
/// Buckets looked at for a publish URL that names none.
pub const RTMP_BUCKETS_TRIED_MAX: usize = 64;

// ---- live ----------------------------------------------------------------------------------------------------

/// Pieces of fragments, and their beginnings and ends, that wait for the owner to write them: a second of a 16 Mbit/s
/// stream, so that a slow write or the end of one fragment does not stop the socket. When full the socket is not read.
pub const STEPS_WAITING_MAX: usize = 32;
/// Bytes of those pieces: one that holds a large key frame is larger than others.
pub const STEPS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Transport-stream bytes gathered before they are appended to the growing blob, while more are at hand: a file write a piece,
/// not a frame. With the unit that fills it up a piece is usually not longer than what a body takes at once, and some of
/// them fit between a fast publisher and its file.
pub const PIECE_BYTES_MAX: usize = 64 * 1024;
/// So many are appended when nothing more is at hand: two ticks of a 2.5 Mbit/s stream, one of a faster. Fewer are gathered on:
/// a piece costs two wake-ups.
pub const PIECE_BYTES_MIN: usize = 48 * 1024;
/// What a piece's buffer has room for at first: [`PIECE_BYTES_MAX`] and a unit that fills it up.
pub const PIECE_BUFFER_BYTES: usize = 128 * 1024;
/// Such buffers that are kept while nobody uses them: as many as are on their way to files at a tick of some hundred publishers.
pub const PIECE_BUFFERS_KEPT: usize = 128;
/// A fragment's payload: FragDuration 100 s at 40 Mbit/s stays below; a stream without key frames or clock does not.
pub const FRAGMENT_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Closed fragments that wait behind the one being committed: two are in flight together, then no unit is taken.
pub const FRAGMENTS_WAITING: usize = 1;
/// A store that takes longer for one step than this ends the connection: the publisher should learn of it.
pub const STORE_STALL: Duration = Duration::from_secs(30);
/// Fragments that may fail one after the other before the connection is ended.
pub const FAILED_FRAGMENTS_MAX: u32 = 3;
/// Taken milliseconds that a fragment's name may step over: a user's objects, one beside the other.
pub const NAME_STEPS_MAX: u32 = 1_000;
/// Audio units held back until the first key frame: ten seconds of the highest sample rate.
pub const HELD_UNITS_MAX: usize = 1_024;
/// Their bytes.
pub const HELD_BYTES_MAX: u64 = 1024 * 1024;
/// How often the figures of a live connection are brought up to date.
pub const STAT_INTERVAL: Duration = Duration::from_secs(1);
/// The window that bandwidth and frame rate are averaged over.
pub const STAT_WINDOW: Duration = Duration::from_secs(8);
/// Pause before an end of connection that could not be written is tried again.
pub const END_RETRY: Duration = Duration::from_secs(1);

// ---- store ---------------------------------------------------------------------------------------------------

/// Bodies up to this size live in the metadata commit itself: playlists and small PUTs need no file.
pub const INLINE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of small appends that an object's row carries at most: each look at the object reads them.
pub const APPENDED_INLINE_BYTES_MAX: usize = 8 * INLINE_BYTES_MAX;
/// Finished connections that a channel's history keeps; the wire shows 10.
pub const CONNECTION_HISTORY_KEPT: usize = 100;
/// Metadata commands that wait for the writer: at most 32 MiB of inline bodies, and well over the number of requests that
/// a commit's sync can keep waiting.
pub const META_QUEUE_MAX: usize = 1_024;
/// How long a caller waits for a place in the full queue before it is told to come again; half of a client's patience.
pub const META_QUEUE_WAIT: Duration = Duration::from_secs(10);
/// How long a connection waits for another's lock. Ours never contend; a backup tool that reads the file may.
pub const META_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Long metadata reads at once; more would only evict each other's pages.
pub const META_SCANS_MAX: usize = 8;
/// Idle read connections kept open: one for each long read and for each core of a usual machine.
pub const META_READERS_KEPT: usize = 24;
/// Page cache of the metadata writer in KiB: inner pages and hot leaves of some million objects.
pub const META_WRITER_CACHE_KIB: i64 = 32 * 1024;
/// Page cache of each read connection in KiB; what it misses, the machine's page cache has.
pub const META_READER_CACHE_KIB: i64 = 4 * 1024;
/// Statements that each connection keeps prepared: more than there are.
pub const META_STATEMENTS_CACHED: usize = 128;
/// Shares into which the keys of objects are divided: what a commit changes, readers cannot remember for its time, nor what
/// lies in the same shares. 128 KiB of counters; a batch of 64 PUTs holds up one read in 250.
pub const META_CACHE_SLOTS: usize = 16 * 1024;
/// Locks over which remembered objects are spread.
pub const META_CACHE_SHELVES: usize = 16;
/// Objects that are remembered, inline bodies included: the playlists and the windows of some ten thousand channels.
pub const META_CACHE_OBJECTS: usize = 64 * 1024;
/// Their bytes.
pub const META_CACHE_OBJECT_BYTES: usize = 32 * 1024 * 1024;
/// Buckets that are remembered.
pub const META_CACHE_BUCKETS: usize = 1_024;
/// Their bytes: a policy or a website is some kilobytes at most.
pub const META_CACHE_BUCKET_BYTES: usize = 4 * 1024 * 1024;
/// Access keys that are remembered, and as many temporary credentials.
pub const META_CACHE_KEYS: usize = 4_096;
/// The bytes of either: the policies of temporary credentials weigh most.
pub const META_CACHE_KEY_BYTES: usize = 4 * 1024 * 1024;
/// Pages of the write-ahead log after which it is folded into the database: each fold costs two syncs, each page read
/// through the log a lookup. 16 MiB.
pub const META_WAL_PAGES: u64 = 4_096;
/// Pages of the log at which the writer waits until it is folded. 64 MiB.
pub const META_WAL_PAGES_MAX: u64 = 4 * META_WAL_PAGES;
/// Passes over the log beside the writer: each leaves what was written during it, a fraction of the one before.
pub const META_FOLD_PASSES: usize = 4;
/// Pages that are left to the writer itself: copied in a millisecond, beside the syncs.
pub const META_FOLD_REST_PAGES: u64 = 256;
/// Size to which the log's file is cut back after a burst, in bytes.
pub const META_WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;

// blobs and bodies
/// Largest body of one PUT, and of all appends to one object together: the object API's own limit.
pub const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// What must stay free where the data is: room for the commits that delete, so that a full disk can be emptied.
pub const FREE_SPACE_FLOOR: u64 = 64 * 1024 * 1024;
/// How long a look at the free space holds; what is written meanwhile is counted.
pub const FREE_SPACE_LOOK: Duration = Duration::from_secs(1);
/// Part numbers of a multipart upload are 1 to this, in every dialect. With parts of `OBJECT_BYTES_MAX` the largest object
/// has 48.8 TiB.
pub const PART_NUMBER_MAX: u32 = 10_000;
/// Extents that a part shares with the object it was copied from. A source that is cut finer is written anew, so that
/// copies of copies do not grow an object without bound: at most 80 000 extents.
pub const PART_EXTENTS_SHARED_MAX: usize = 8;
/// A copy of an object onto itself is begun so often, where others write the object in between: each try reads it anew.
pub const COPY_ONTO_ITSELF_TRIES: usize = 8;
/// What a completed upload came to is remembered this long: clients repeat a request whose answer was lost within
/// minutes, a job that is started again within a day.
pub const COMPLETED_UPLOAD_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Outdated memories of completed uploads that each completion forgets: more than it adds, so that they do not pile up.
pub const COMPLETED_UPLOADS_FORGOTTEN: usize = 4;
/// Bytes that are read, hashed or handed on at once: large enough that a system call is a small part of the cost, small
/// enough that hashing one holds up the reactor for a fraction of a millisecond only.
pub const BODY_PIECE_BYTES: usize = 128 * 1024;
/// Of a body, what the task that receives it hashes itself: a hand-over to a thread costs more than hashing a few pieces.
pub const HASHED_HERE_BYTES: u64 = 256 * 1024;
/// Bytes of a body that are hashed in one go on a blocking thread: a quarter of a millisecond of MD5, many times the
/// hand-over.
pub const HASH_BURST_BYTES: usize = 256 * 1024;
/// Bytes of a body that may wait for such a thread before its client is not read any more; the thread may hold as much.
pub const HASH_WAITING_BYTES: usize = 512 * 1024;
/// What a large body is read in while few are read: at 512 KiB a system call's own cost, and the wake-up behind it, no longer
/// show beside the copies; a core's own cache holds it between the read and the write.
pub const READ_PIECE_BYTES: usize = 512 * 1024;
/// Pieces of that size held at once, 32 MiB. Further readers, and those behind ones who take their bytes slowly, read in
/// pieces of [`BODY_PIECE_BYTES`].
pub const READ_PIECES_LARGE_MAX: usize = 64;
/// Buffers for pieces that are kept when nobody reads, of each of the two sizes.
pub const READ_PIECES_KEPT_BYTES: usize = 4 * 1024 * 1024;
/// Files of blobs that stay open, each the newest fragments of some channel; at most an eighth of the descriptors.
pub const OPEN_FILES_MAX: usize = 2_048;
/// A blob's writer gathers smaller appends up to this before it writes: copying is cheaper than a write for each, and for
/// larger ones it is not.
pub const BLOB_GATHER_BYTES: usize = 16 * 1024;
/// Blocking file reads at once: a disk's queue is full long before, and each costs a thread.
pub const FILE_READS_MAX: usize = 32;
/// Blocking file writes, syncs and deletions at once. Apart from the reads, so that playback never waits behind a sync.
pub const FILE_WRITES_MAX: usize = 32;
/// Threads that write what growing blobs have gathered. One is enough for several GB/s of page cache; more help when the
/// disk makes a writer wait.
pub const FILE_THREADS_BEHIND: usize = 4;
/// Bytes of a growing file after which the kernel is told to begin with their way to the disk, so that the sync at the end
/// finds little to do: a quarter of a live fragment.
pub const WRITEBACK_BYTES: u64 = 512 * 1024;
/// The same for a file that is longer than this: telling is a wait at times, and the end of a large one takes long anyway.
pub const WRITEBACK_BYTES_LARGE: u64 = 16 * 1024 * 1024;
/// A turn of a thread that waits for the disk again and again: the shortest that Linux knows.
pub const SHORT_TURN: Duration = Duration::from_micros(100);
/// What one file's writer may leave to such a thread before it waits. As much again may be on its way to the disk.
pub const FILE_BYTES_BEHIND: usize = 256 * 1024;
/// Files that wait for such a thread before the next one is woken: a thread that is awake writes them sooner than another
/// wakes up.
pub const FILES_BEHIND_A_THREAD: usize = 16;
/// How long such a thread rests when nothing is left before it ends. A thread that rests and wakes up by itself costs less than
/// one that is woken for each piece; at a tick of some hundred publishers pieces come for some ten milliseconds.
pub const FILE_THREAD_REST: Duration = Duration::from_millis(4);
/// Directories of which the file store remembers that their names are durable: new blobs go to the newest only.
pub const DURABLE_DIRECTORIES_MAX: usize = 256;
/// Longest read of one object; a slower reader is cut off and continues with a range. 5 GiB need 3 Mbit/s.
pub const OBJECT_READ_MAX: Duration = Duration::from_secs(4 * 3600);
/// Garbage waits this long: the longest read, and a margin for the time between looking an object up and reading it (I3).
pub const GARBAGE_GRACE: Duration = Duration::from_secs(4 * 3600 + 600);
/// Rules of a bucket's lifecycle: OSS and S3 allow as many.
pub const LIFECYCLE_RULES_MAX: usize = 1000;
/// Characters of a rule's id: OSS and S3 allow as many.
pub const LIFECYCLE_ID_CHARS_MAX: usize = 255;
/// A document of as many rules, each with a long id, a prefix and some tags.
pub const LIFECYCLE_XML_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Elements of such a document: some thirty a rule.
pub const LIFECYCLE_XML_ELEMENTS_MAX: usize = 40_000;
/// Objects or uploads that the lifecycle job looks at between two pauses, and at most removes in one transaction.
pub const LIFECYCLE_PAGE: usize = 500;
/// The pause: a pass takes at most 10 000 objects a second, which leaves the metadata to those who wait for it.
pub const LIFECYCLE_PAUSE: Duration = Duration::from_millis(50);
/// The first pass waits until the start is over.
pub const LIFECYCLE_FIRST_AFTER: Duration = Duration::from_secs(60);
/// Days are due at midnight UTC; within this they are done.
pub const LIFECYCLE_INTERVAL: Duration = Duration::from_secs(3600);
/// The collector looks for garbage this often.
pub const COLLECT_INTERVAL: Duration = Duration::from_secs(60);
/// Blobs deleted between two looks at the stop token.
pub const COLLECT_PAGE: usize = 256;
/// A full sweep of unnamed blobs this often: only crashes and lost answers make any, so it is a net, not a path.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(6 * 3600);
/// The first full sweep comes this long after the start: when clients are back and the disk is calm.
pub const SWEEP_FIRST_AFTER: Duration = Duration::from_secs(300);
/// The full sweep leaves blobs alone that are younger than this. What is in flight is known exactly; this is a second belt.
pub const SWEEP_GRACE: Duration = Duration::from_secs(3600);
/// Blobs compared with metadata at once.
pub const SWEEP_PAGE: usize = 512;
/// The sweep before the doors open goes back this far: uploads and fragments in flight at a crash are younger, and a start
/// must not read a directory of millions. The full sweep finds the rest.
pub const STARTUP_SWEEP_REACH: Duration = Duration::from_secs(2 * 3600);
/// A blob whose commit was given up on without an answer is left alone this long: the commit may still wait in the queue.
pub const SETTLE_GRACE: Duration = Duration::from_secs(600);
/// An extent below this is short: it costs a row and a look at its blob for little. Reading a mebibyte takes longer than
/// finding it.
pub const SHORT_EXTENT_BYTES: u64 = 1024 * 1024;
/// A body in which so many short extents follow a short one is finely cut: a rewrite saves as many rows, and a log that grows
/// by lines is written anew once for each mebibyte. (Also in the migration that made the column.)
pub const FINELY_CUT_PAIRS: usize = 32;
/// Larger bodies are not compacted: each compaction reads the whole body to prove its digest.
pub const COMPACTED_BYTES_MAX: u64 = OBJECT_BYTES_MAX;
/// Finely cut bodies are looked for this often; the look costs an empty index.
pub const COMPACT_INTERVAL: Duration = Duration::from_secs(10);
/// Objects compacted in one round.
pub const COMPACT_ROUND_OBJECTS: usize = 64;
/// Bytes that a round of compaction reads, the round's last object aside: a few seconds of one disk in each interval at
/// most, so that the job never takes more than a share of it.
pub const COMPACT_ROUND_BYTES: u64 = 256 * 1024 * 1024;
/// Damaged objects that the compaction remembers not to read again; the checker finds all of them.
pub const COMPACT_DAMAGED_MAX: usize = 1_024;
/// Objects that the checker holds at once; their inline bodies come with them.
pub const CHECK_PAGE: usize = 128;
/// Findings that a check keeps in words; more are only counted.
pub const CHECK_FINDINGS_MAX: usize = 10_000;

// ---- HTTP ----------------------------------------------------------------------------------------------------

/// Requests answered at once over all sockets, their bodies included: each holds a few pieces of a body in memory.
/// One more gets 503 `ServiceUnavailable`, which clients retry.
pub const HTTP_REQUESTS_MAX: usize = 2_048;
/// What a 503 says of when to come again (`Retry-After`): a commit that found the database held has waited for longer already.
pub const HTTP_RETRY_AFTER: Duration = Duration::from_secs(1);
/// A request's head, request line included: 8 KiB of metadata, a long presigned query and what proxies add.
pub const HTTP_HEAD_BYTES_MAX: usize = 32 * 1024;
/// What a socket may have read ahead of its request: a body is taken in pieces of at most this size.
pub const HTTP_READ_BUFFER_MAX: usize = 128 * 1024;
/// From a head's first byte to its last: a client that drips its head holds a socket no longer than this.
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// A kept-alive socket without a request: longer than the pools of the client libraries keep theirs (usually 5 to 60 s).
pub const HTTP_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Requests of one socket: the last one's answer says `Connection: close`. What a socket has gathered goes with it, and
/// clients behind a balancer spread anew. A client that asks as fast as it can notices it every second or so.
pub const HTTP_REQUESTS_PER_SOCKET_MAX: u32 = 10_000;
/// A request body that brings no byte for this long is given up: 400 `RequestTimeout`.
pub const HTTP_BODY_STALL: Duration = Duration::from_secs(30);
/// A request body must bring [`HTTP_BODY_WINDOW_BYTES_MIN`] in each such span of waiting for it, or end: a body that drips
/// a byte before each stall would hold a permit for ever.
pub const HTTP_BODY_WINDOW: Duration = Duration::from_secs(60);
/// 2 kbit/s: slower than any path on which an upload is of use, and than any producer worth a request of its own.
pub const HTTP_BODY_WINDOW_BYTES_MIN: u64 = 16 * 1024;
/// A response of which the client takes no byte for this long is given up; together with the window of a playlist it
/// bounds how long a replaced blob must be kept (I3).
pub const HTTP_WRITE_STALL: Duration = Duration::from_secs(60);
/// What is read and thrown away of a refused request's body, so that the client sees the refusal and not a reset.
pub const HTTP_DRAIN_BYTES_MAX: u64 = 1024 * 1024;
/// How long that may take.
pub const HTTP_DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// When the service stops, a socket that holds half a head or an unflushed answer gets this long; one that serves a
/// request is asked again after it.
pub const HTTP_STOP_GRACE: Duration = Duration::from_secs(1);
/// User metadata of an object, names and values: OSS's own bound.
pub const USER_METADATA_BYTES_MAX: usize = 8 * 1024;
/// User metadata of an object that is put over S3: S3's own bound.
pub const S3_USER_METADATA_BYTES_MAX: usize = 2 * 1024;
/// Parts but the last of a multipart upload over S3 have at least this: S3's own bound.
pub const S3_PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// URLs of one callback, tried in order: OSS's own bound.
pub const CALLBACK_URLS_MAX: usize = 5;
/// An application server must have answered a callback by then: OSS's own bound.
pub const CALLBACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of its answer, which become the uploader's: OSS's own bound.
pub const CALLBACK_ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// A callback's body once its variables are filled in: a template of a header's length, whose every variable may be a key
/// of a kilobyte.
pub const CALLBACK_BODY_BYTES_MAX: usize = 256 * 1024;
/// A playlist that is signed line by line (`hls/sign`): OSS's own bound.
pub const HLS_SIGN_BYTES_MAX: u64 = 1024 * 1024;

/// A traffic limit in bits a second: OSS's own bounds, 100 KiB/s to 100 MiB/s.
pub const OSS_TRAFFIC_LIMIT_MIN: u64 = 819_200;
/// The other end.
pub const OSS_TRAFFIC_LIMIT_MAX: u64 = 838_860_800;
/// How far behind its limit a transfer may fall and still catch up: a timer's lateness, and a busy moment of the machine.
pub const TRAFFIC_CATCH_UP: Duration = Duration::from_millis(100);
/// A limited transfer moves at least so many bytes at once: smaller pieces would cost more than they smooth.
pub const TRAFFIC_PIECE_MIN: usize = 8 * 1024;

// browser forms
/// A boundary's characters: RFC 2046, 5.1.1.
pub const FORM_BOUNDARY_BYTES_MAX: usize = 70;
/// What may stand before the first boundary: nothing that clients send, or a blank line.
pub const FORM_PREAMBLE_BYTES_MAX: usize = 1024;
/// The head of one part: a file's name of a key's length, each byte percent-encoded, and its type.
pub const FORM_PART_HEAD_BYTES_MAX: usize = 8 * 1024;
/// Fields before the file: the documented ones are some thirty, metadata and variables of a callback come on top.
pub const FORM_FIELDS_MAX: usize = 100;
/// Their names, values and heads together: metadata and headers of 8 KiB each, a policy and a callback in base64.
pub const FORM_FIELDS_BYTES_MAX: usize = 64 * 1024;
/// What may follow the file: a submit button, perhaps a repeated field. It is read, because nothing is stored before the
/// form has ended, and thrown away.
pub const FORM_REST_BYTES_MAX: usize = 64 * 1024;

// ---- OSS documents -------------------------------------------------------------------------------------------

/// Days of the longest default retention of a bucket that locks its objects: S3's own bound, a hundred years.
pub const RETENTION_DAYS_MAX: u32 = 36_500;
/// Largest object of the OSS dialect that one PUT or all appends make: 5 GiB, as the public service has it.
pub const OSS_OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// A multi-delete of 1000 keys of 1023 bytes, every byte a numeric character reference, is 6 MiB. Over S3, too.
pub const OSS_DELETE_XML_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Any other document, over S3, too: 20 CORS rules with long lists stay far below.
pub const OSS_XML_BYTES_MAX: usize = 64 * 1024;
/// Any document of a caller who has proved nothing, in either dialect: documents are held whole, and with one in each of
/// [`HTTP_REQUESTS_MAX`] requests nobody in particular holds 128 MiB, not 16 GiB. Some hundred keys of a list, or parts of
/// an upload, fit; who has more signs.
pub const ANONYMOUS_DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// Elements within elements: the deepest document has four levels; more is an attack on the stack or the heap.
pub const OSS_XML_DEPTH_MAX: usize = 16;
/// A multi-delete of 1000 keys has some 3000 elements; each costs memory far beyond its few bytes of text.
pub const OSS_XML_ELEMENTS_MAX: usize = 8_192;
/// Keys of one multi-delete, as the public service has it.
pub const OSS_DELETE_KEYS_MAX: usize = 1_000;
/// Parts but the last of a multipart upload have at least this, as the public service has it.
pub const OSS_PART_BYTES_MIN: u64 = 100 * 1024;
/// Parts of a CompleteMultipartUpload: every number there is.
pub const OSS_COMPLETE_PARTS_MAX: usize = PART_NUMBER_MAX as usize;
/// 10 000 parts, each of some 110 bytes written tightly, up to twice that with blanks and quotes as references. Over S3,
/// where a part may come with a checksum, too.
pub const OSS_COMPLETE_XML_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The root, and for each part itself, its number, its tag, and one more that a client may add.
pub const OSS_COMPLETE_XML_ELEMENTS_MAX: usize = 1 + 4 * OSS_COMPLETE_PARTS_MAX;
/// Rules of a bucket's CORS configuration, as the public service has it.
pub const OSS_CORS_RULES_MAX: usize = 20;
/// Days that a restore lasts when nothing is said, as the public service has it.
pub const RESTORE_DAYS_DEFAULT: u32 = 1;
/// Longest restore in days, as the public service has it for its cold classes.
pub const RESTORE_DAYS_MAX: u32 = 365;
/// A bucket policy over OSS, as documented.
pub const OSS_POLICY_BYTES_MAX: usize = 16 * 1024;
/// A bucket policy over S3, as documented.
pub const S3_POLICY_BYTES_MAX: usize = 20 * 1024;
/// The policy of a temporary credential: kept and read with every use, so smaller than a bucket's.
pub const SESSION_POLICY_BYTES_MAX: usize = 4 * 1024;
/// Bucket policies that are kept in their readable form: each holds a few times its text, and one that is not kept costs
/// tens of microseconds a request.
pub const POLICIES_KEPT: usize = 256;
/// How long a temporary credential lives when nothing is said.
pub const SESSION_DEFAULT: Duration = Duration::from_secs(3600);
/// Shortest life of one.
pub const SESSION_MIN: Duration = Duration::from_secs(60);
/// Longest life of one: a working day and the night after it. Who needs longer needs a key.
pub const SESSION_MAX: Duration = Duration::from_secs(36 * 3600);
/// How long one that expired is remembered, so that its holder is told so, and not that it never was.
pub const SESSION_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Temporary credentials forgotten in one transaction.
pub const SESSIONS_FORGOTTEN: usize = 1_000;
/// Tags of an object: what both dialects document.
pub const OBJECT_TAGS_MAX: usize = 10;
/// Tags of a bucket over OSS, as documented.
pub const OSS_BUCKET_TAGS_MAX: usize = 20;
/// Tags of a bucket over S3, as documented.
pub const S3_BUCKET_TAGS_MAX: usize = 50;
/// Characters of a tag's key, as documented.
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Characters of a tag's value, as documented.
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// Rules of a bucket's website over OSS, as documented.
pub const OSS_WEBSITE_RULES_MAX: usize = 20;
/// Rules of a bucket's website over S3, as documented.
pub const S3_WEBSITE_RULES_MAX: usize = 50;
/// Bytes of all texts of a bucket's website: they are read with the bucket by each request. The rules of a real site have
/// some hundred bytes each.
pub const WEBSITE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a `Referer` that patterns see: browsers send no longer one.
pub const REFERER_BYTES_MAX: usize = 4_096;
/// Bytes of all `Referer` patterns of a bucket. Comparing the longest header with them costs a million steps.
pub const REFERER_LISTS_BYTES_MAX: usize = 20 * 1024;
/// `Referer` patterns of a bucket: each is compared with each header.
pub const REFERER_LISTS_MAX: usize = 1_000;
/// What the key of an access log begins with; the rest of the key must still fit.
pub const LOG_PREFIX_BYTES_MAX: usize = 512;
