//! What a process has cost, as the kernel counts it.

use super::{Failure, failed, round};

/// The kernel counts `/proc/PID/stat` in hundredths of a second on every architecture that it runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// Cost of one or more processes at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) user_seconds: f64,
    pub(super) system_seconds: f64,
    pub(super) resident_bytes: u64,
    /// The most that was ever resident.
    pub(super) resident_peak_bytes: u64,
}

impl Usage {
    /// Of these processes together.
    pub(super) fn of(pids: &[u32]) -> Result<Self, Failure> {
        let mut sum = Usage::default();
        for pid in pids {
            let read = |name: &str| {
                let path = format!("/proc/{pid}/{name}");
                std::fs::read_to_string(&path).map_err(|error| failed(&path, error))
            };
            let one = parse(&read("stat")?, &read("status")?);
            let one = one.ok_or_else(|| Failure::failed(format!("/proc/{pid} reads strangely")))?;
            sum.user_seconds += one.user_seconds;
            sum.system_seconds += one.system_seconds;
            sum.resident_bytes += one.resident_bytes;
            sum.resident_peak_bytes += one.resident_peak_bytes;
        }
        Ok(sum)
    }

    pub(super) fn cpu_seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }

    /// What was used since `before`, for a report; `work` is what it was used for.
    pub(super) fn report(&self, before: &Usage, per: &str, work: f64) -> serde_json::Value {
        let cpu = self.cpu_seconds() - before.cpu_seconds();
        serde_json::json!({
            "cpu_seconds": round(cpu),
            "user_seconds": round(self.user_seconds - before.user_seconds),
            "system_seconds": round(self.system_seconds - before.system_seconds),
            "resident_mb": round(self.resident_bytes as f64 / 1e6),
            "resident_peak_mb": round(self.resident_peak_bytes as f64 / 1e6),
            per: round(cpu / work),
        })
    }
}

/// `utime` and `stime` are the 12th and 13th field behind the name, which may hold spaces and parentheses.
fn parse(stat: &str, status: &str) -> Option<Usage> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    let bytes = |name: &str| {
        let kib = status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?;
        Some(kib.parse::<u64>().ok()? * 1024)
    };
    Some(Usage {
        user_seconds: user / TICKS_A_SECOND,
        system_seconds: system / TICKS_A_SECOND,
        resident_bytes: bytes("VmRSS:")?,
        resident_peak_bytes: bytes("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 75 0 0 20 0 4 0 100 1 2";
        let usage = parse(stat, "Name:\ta\nVmHWM:\t    4096 kB\nVmRSS:\t    2048 kB\n").expect("well-formed");
        let (resident_bytes, resident_peak_bytes) = (2 * 1024 * 1024, 4 * 1024 * 1024);
        assert_eq!(usage, Usage { user_seconds: 2.5, system_seconds: 0.75, resident_bytes, resident_peak_bytes });
        assert_eq!(parse("7 (a", ""), None);
    }

    #[test]
    fn this_process_is_resident() {
        assert!(Usage::of(&[std::process::id()]).expect("it runs").resident_bytes > 100_000);
    }
}
