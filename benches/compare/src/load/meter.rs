use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// A process to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    pub busy: Duration,
    pub waiting: Duration,
}

impl Process {
    /// The time its threads have spent on a core, and waiting for one, to the nanosecond.
    pub fn cpu(self) -> Result<Cpu> {
        let mut cpu = Cpu::default();
        for thread in fs::read_dir(format!("/proc/{}/task", self.0))? {
            let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
            let mut fields = statistics.split_whitespace().map(str::parse);
            let mut next =
                || fields.next().context("schedstat is too short").map(|field| field.map(Duration::from_nanos));
            cpu.busy += next()??;
            cpu.waiting += next()??;
        }
        Ok(cpu)
    }

    /// Its resident memory in KiB.
    pub fn resident(self) -> Result<f64> {
        // The figures in `status` lag behind by up to 64 pages per thread; these are counted anew.
        let memory = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0))?;
        let line = memory.lines().find_map(|line| line.strip_prefix("Rss:")).context("smaps_rollup has no Rss")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}
