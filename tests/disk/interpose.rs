//! The C library's file calls, defined by this program.
//!
//! The linker takes a symbol that the executable defines before the C library's, for whatever is linked statically: Rust's
//! standard library and SQLite. So each of their calls arrives here, is shown to [`watch`](super::watch), and goes to the
//! kernel through `syscall`. Calls that `rustix` makes go to the kernel directly and are not seen: the store uses them to lock
//! its directory and to read what the page cache holds, never to change anything. A test of `watch` compares what was recorded
//! with the directory itself, so nothing can change unseen.
//!
//! Why this is sound: each function has the signature of the C library's (`open` and `openat` are variadic there; their third
//! argument is read here as the calling conventions of Linux pass it, and only where the flags say that it is there), passes its
//! arguments on unchanged or cut shorter, and looks at memory only as far as the caller vouches for it to the C library.
//! A panic cannot cross a function that is `extern "C"`: it ends the process.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{c_char, c_int, c_uint, c_void, iovec, mode_t, off64_t, size_t, ssize_t};

use super::watch::{self, Outcome};

/// What a system call answered, with its error taken out of `errno`.
fn outcome(answer: libc::c_long) -> Outcome {
    if answer >= 0 {
        return Ok(answer);
    }
    Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// The C form of an outcome: -1 and `errno`.
fn answer(outcome: Outcome) -> libc::c_long {
    outcome.unwrap_or_else(|errno| {
        // SAFETY: the location is this thread's own and always there.
        unsafe { *libc::__errno_location() = errno };
        -1
    })
}

fn answer_int(outcome: Outcome) -> c_int {
    c_int::try_from(answer(outcome)).expect("descriptors and states are small")
}

fn answer_size(outcome: Outcome) -> ssize_t {
    ssize_t::try_from(answer(outcome)).expect("counts fit where they were asked for")
}

/// # Safety
/// `path` is a C string that lives as long as the answer is used.
unsafe fn path_of<'a>(path: *const c_char) -> &'a Path {
    // SAFETY: as this function's caller vouches.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()))
}

/// # Safety
/// `count` bytes at `buffer` may be read as long as the answer is used.
unsafe fn bytes_of<'a>(buffer: *const c_void, count: size_t) -> &'a [u8] {
    if count == 0 {
        return &[];
    }
    // SAFETY: as this function's caller vouches.
    unsafe { std::slice::from_raw_parts(buffer.cast(), count) }
}

/// Where a descriptor reads and writes next.
pub fn position(fd: c_int) -> u64 {
    // SAFETY: takes no memory; any descriptor may be asked.
    let at = unsafe { libc::lseek64(fd, 0, libc::SEEK_CUR) };
    u64::try_from(at).unwrap_or(0)
}

/// The flags that a descriptor was opened with.
pub fn flags(fd: c_int) -> c_int {
    // SAFETY: takes no memory; any descriptor may be asked.
    unsafe { libc::fcntl(fd, libc::F_GETFL) }
}

// ---- files ---------------------------------------------------------------------------------------------------

unsafe fn open_any(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let mode = if flags & (libc::O_CREAT | libc::O_TMPFILE) == 0 { 0 } else { mode };
    // SAFETY: `path` is the caller's C string; the other arguments are plain values.
    let run = || outcome(unsafe { libc::syscall(libc::SYS_openat, directory, path, flags, c_uint::from(mode)) });
    // SAFETY: as above, and used during this call only.
    answer_int(watch::open(directory, unsafe { path_of(path) }, flags, run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's contract is that of the C library's `open`.
    unsafe { open_any(libc::AT_FDCWD, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as `open`.
    unsafe { open_any(libc::AT_FDCWD, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as `open`.
    unsafe { open_any(directory, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as `open`.
    unsafe { open_any(directory, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller vouches for `count` bytes; the call reads no more than it is given of them.
    let (bytes, run) = unsafe {
        (bytes_of(buffer, count), |part: &[u8]| outcome(libc::syscall(libc::SYS_write, fd, part.as_ptr(), part.len())))
    };
    answer_size(watch::write(fd, None, bytes, run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, count: size_t, at: off64_t) -> ssize_t {
    // SAFETY: as `write`.
    let (bytes, run) = unsafe {
        let run = move |part: &[u8]| outcome(libc::syscall(libc::SYS_pwrite64, fd, part.as_ptr(), part.len(), at));
        (bytes_of(buffer, count), run)
    };
    answer_size(watch::write(fd, Some(u64::try_from(at).unwrap_or(0)), bytes, run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(fd: c_int, buffer: *const c_void, count: size_t, at: off64_t) -> ssize_t {
    // SAFETY: the same call: offsets have 64 bits on every machine that this is built for.
    unsafe { pwrite64(fd, buffer, count, at) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    if !watch::descriptor_is_watched(fd) {
        // SAFETY: the caller's arguments, unchanged.
        return answer_size(outcome(unsafe { libc::syscall(libc::SYS_writev, fd, pieces, count) }));
    }
    let mut all = Vec::new();
    for piece in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the caller vouches for `count` pieces and for the memory that each names.
        let piece = unsafe { &*pieces.add(piece) };
        // SAFETY: as above.
        all.extend_from_slice(unsafe { bytes_of(piece.iov_base, piece.iov_len) });
    }
    // SAFETY: `all` is one buffer with all pieces.
    unsafe { write(fd, all.as_ptr().cast(), all.len()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller vouches for room for `count` bytes; `part` is never more.
    let run = |part: usize| outcome(unsafe { libc::syscall(libc::SYS_read, fd, buffer, part) });
    answer_size(watch::read(fd, count, run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pread64(fd: c_int, buffer: *mut c_void, count: size_t, at: off64_t) -> ssize_t {
    // SAFETY: as `read`.
    let run = |part: usize| outcome(unsafe { libc::syscall(libc::SYS_pread64, fd, buffer, part, at) });
    answer_size(watch::read(fd, count, run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pread(fd: c_int, buffer: *mut c_void, count: size_t, at: off64_t) -> ssize_t {
    // SAFETY: the same call.
    unsafe { pread64(fd, buffer, count, at) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    // SAFETY: plain values.
    let run = || outcome(unsafe { libc::syscall(libc::SYS_ftruncate, fd, length) });
    answer_int(watch::truncate(fd, u64::try_from(length).unwrap_or(0), run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(fd: c_int, length: off64_t) -> c_int {
    // SAFETY: the same call.
    unsafe { ftruncate64(fd, length) }
}

/// Answered as by a file system that cannot: callers then write zeros or nothing, which is seen.
#[unsafe(no_mangle)]
unsafe extern "C" fn fallocate64(fd: c_int, mode: c_int, at: off64_t, length: off64_t) -> c_int {
    // SAFETY: plain values.
    let run = || outcome(unsafe { libc::syscall(libc::SYS_fallocate, fd, mode, at, length) });
    answer_int(if watch::descriptor_is_watched(fd) { Err(libc::EOPNOTSUPP) } else { run() })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fallocate(fd: c_int, mode: c_int, at: off64_t, length: off64_t) -> c_int {
    // SAFETY: the same call.
    unsafe { fallocate64(fd, mode, at, length) }
}

/// Answered as between two file systems: the standard library then reads and writes, which is seen.
#[unsafe(no_mangle)]
unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    count: size_t,
    flags: c_uint,
) -> ssize_t {
    // SAFETY: the caller's arguments, unchanged.
    let run = || outcome(unsafe { libc::syscall(libc::SYS_copy_file_range, from, from_at, to, to_at, count, flags) });
    answer_size(if watch::descriptor_is_watched(to) { Err(libc::EXDEV) } else { run() })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: plain values.
    answer_int(watch::sync(fd, || outcome(unsafe { libc::syscall(libc::SYS_fsync, fd) })))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: plain values.
    answer_int(watch::sync(fd, || outcome(unsafe { libc::syscall(libc::SYS_fdatasync, fd) })))
}

// ---- names ---------------------------------------------------------------------------------------------------

unsafe fn rename_any(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: both are the caller's C strings.
    let run = || outcome(unsafe { libc::syscall(libc::SYS_renameat2, from_directory, from, to_directory, to, flags) });
    // SAFETY: as above, and used during this call only.
    let (from_path, to_path) = unsafe { (path_of(from), path_of(to)) };
    answer_int(watch::rename((from_directory, from_path), (to_directory, to_path), flags, run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller's contract is that of the C library's `rename`.
    unsafe { rename_any(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
) -> c_int {
    // SAFETY: as `rename`.
    unsafe { rename_any(from_directory, from, to_directory, to, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat2(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: as `rename`.
    unsafe { rename_any(from_directory, from, to_directory, to, flags) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: `path` is the caller's C string.
    let run = || outcome(unsafe { libc::syscall(libc::SYS_unlinkat, directory, path, flags) });
    // SAFETY: as above, and used during this call only.
    let path = unsafe { path_of(path) };
    answer_int(watch::remove(directory, path, flags & libc::AT_REMOVEDIR != 0, run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: as `unlinkat`.
    unsafe { unlinkat(libc::AT_FDCWD, path, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: as `unlinkat`.
    unsafe { unlinkat(libc::AT_FDCWD, path, libc::AT_REMOVEDIR) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdirat(directory: c_int, path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: `path` is the caller's C string.
    let run = || outcome(unsafe { libc::syscall(libc::SYS_mkdirat, directory, path, c_uint::from(mode)) });
    // SAFETY: as above, and used during this call only.
    answer_int(watch::make_directory(directory, unsafe { path_of(path) }, run))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as `mkdirat`.
    unsafe { mkdirat(libc::AT_FDCWD, path, mode) }
}

/// Nothing that is watched has two names: refused, as by a file system without them.
#[unsafe(no_mangle)]
unsafe extern "C" fn linkat(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: both are the caller's C strings.
    let run = || outcome(unsafe { libc::syscall(libc::SYS_linkat, from_directory, from, to_directory, to, flags) });
    // SAFETY: as above, and used during this call only.
    let watched = watch::path_is_watched(to_directory, unsafe { path_of(to) });
    answer_int(if watched { Err(libc::EPERM) } else { run() })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: as `linkat`.
    unsafe { linkat(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) }
}
