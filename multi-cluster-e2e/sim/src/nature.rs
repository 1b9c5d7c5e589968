//! What a process asks its machine for: chance and the date. In a simulation both must come from the seed.
//!
//! The C library's `getrandom`, `syscall` (by which some ask for the same) and `clock_gettime` are replaced in any program
//! that links this crate: the linker prefers the program's own symbols to those of a shared library, and hands them to
//! `dlsym` too. Until [`fix`] is called they do what they always do. Hash maps, tokio's `select!`, jitter and election
//! timeouts all draw from `getrandom` in the end.

#![allow(
    unsafe_code,
    reason = "three functions of the C library are replaced; there is no safe way to do that"
)]

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use nix::libc::{self, c_int, c_long, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};

/// The date of every simulation, in seconds: 2030-01-01T00:00:00Z.
pub const DATE: i64 = 1_893_456_000;

static FIXED: AtomicBool = AtomicBool::new(false);
static STATE: AtomicU64 = AtomicU64::new(0);

/// From now on chance follows from `seed`, and time stands still at [`DATE`]: what moves in a simulation is tokio's
/// clock. For the rest of the process; it must have one thread that matters.
pub fn fix(seed: u64) {
    STATE.store(seed, Ordering::SeqCst);
    FIXED.store(true, Ordering::SeqCst);
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn draw() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = STATE.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// As `getrandom(2)`.
#[unsafe(no_mangle)]
extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    if !FIXED.load(Ordering::Relaxed) {
        // SAFETY: the caller's arguments are handed on as they came.
        let got = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return ssize_t::try_from(got).unwrap_or(-1);
    }
    fill(buffer, length)
}

/// Fills as much as is asked for.
fn fill(buffer: *mut c_void, length: size_t) -> ssize_t {
    if length == 0 {
        return 0;
    }
    // SAFETY: as for `getrandom`, `buffer` is valid for writes of `length` bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for chunk in bytes.chunks_mut(8) {
        let drawn = draw().to_le_bytes();
        for (byte, drawn) in chunk.iter_mut().zip(drawn) {
            *byte = drawn;
        }
    }
    ssize_t::try_from(length).unwrap_or(ssize_t::MAX)
}

/// As `clock_gettime(2)`.
#[unsafe(no_mangle)]
extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if !FIXED.load(Ordering::Relaxed) {
        // SAFETY: the caller's arguments are handed on as they came.
        let failed = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
        return c_int::try_from(failed).unwrap_or(-1);
    }
    // SAFETY: as for `clock_gettime`, `time` is valid for a write.
    unsafe { time.write(timespec { tv_sec: DATE, tv_nsec: 0 }) };
    0
}

type Syscall = extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;

/// The C library's own `syscall`, once it was looked for.
static REAL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// As `syscall(2)`. It is declared with variable arguments, which are passed like fixed ones on Linux; what the caller did
/// not pass is not looked at.
#[unsafe(no_mangle)]
extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    if number == libc::SYS_getrandom && FIXED.load(Ordering::Relaxed) {
        let length = size_t::try_from(b).unwrap_or_default();
        let buffer = std::ptr::with_exposed_provenance_mut(usize::try_from(a).unwrap_or_default());
        return c_long::try_from(fill(buffer, length)).unwrap_or(c_long::MAX);
    }
    let mut real = REAL.load(Ordering::Relaxed);
    if real.is_null() {
        // SAFETY: the name is a C string.
        real = unsafe { libc::dlsym(libc::RTLD_NEXT, c"syscall".as_ptr()) };
        REAL.store(real, Ordering::Relaxed);
    }
    // SAFETY: it is the C library's `syscall`, which takes its arguments as this function does; there is one, since this
    // program was started by it.
    let real = unsafe { std::mem::transmute::<*mut c_void, Syscall>(real) };
    real(number, a, b, c, d, e, f)
}
