//! A full disk and a read-only one, as tmpfs in a private mount namespace: root's or, where the system lets a user make
//! one, a user's. Elsewhere the test says that it was not run.
#![cfg(target_os = "linux")]

use crate::common::command::{run, workplace};
use std::process::{Command, Stdio};

/// Runs a shell script in a private mount namespace; `None` where that is not allowed.
fn in_private_mounts(script: &str, dir: &std::path::Path) -> Option<String> {
    let flags: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let allowed = flags.iter().find(|flags| {
        let mut probe = Command::new("unshare");
        probe.args(**flags).args(["sh", "-c", "mount -t tmpfs none /mnt"]);
        probe.stderr(Stdio::null());
        probe.status().is_ok_and(|s| s.success())
    })?;
    let mut command = Command::new("unshare");
    command.args(*allowed).args(["sh", "-c", script]).env("WARP19", env!("CARGO_BIN_EXE_warp19")).current_dir(dir);
    let written = run(&mut command, 0);
    Some(written.out + &written.said)
}

/// A checkpoint of this run is 27 MB, so a second one beside it does not fit on the first disk.
#[test]
fn a_full_or_read_only_disk_is_explained_and_the_old_checkpoint_stays() {
    let dir = workplace(200, 24);
    let script = r#"
        mkdir disk && mount -t tmpfs -o size=40m none disk || exit 7
        run="$WARP19 train --data set --dataset shapes"
        $run --model deep-mnist-sgd --recipe robust --epochs 2 --out disk/run --steps 1 || exit 8
        sum=$(sha256sum < disk/run/checkpoint.safetensors)
        echo "== full"
        $WARP19 train --resume disk/run --data set; echo "code $?"
        [ "$sum" = "$(sha256sum < disk/run/checkpoint.safetensors)" ] || exit 9
        $WARP19 eval disk/run --data set > /dev/null || exit 10
        echo "left: $(ls -A disk/run | tr '\n' ' ')"
        echo "== read-only"
        mount -o remount,ro disk || exit 11
        $run --model deep-mnist-sgd --out disk/other; echo "code $?"
        $WARP19 train --resume disk/run --data set; echo "code $?"
    "#;
    let Some(said) = in_private_mounts(script, dir.path()) else {
        eprintln!("not run: no mounts may be made here");
        return;
    };
    let (full, read_only) = said
        .split_once("== full")
        .and_then(|(_, rest)| rest.split_once("== read-only"))
        .unwrap_or_else(|| panic!("{said}"));
    assert!(!said.contains("panicked"), "{said}");
    assert!(full.contains("code 1"), "{said}");
    assert!(read_only.matches("code 1").count() == 2, "{said}");
    let left = full.split("left: ").nth(1).unwrap_or_default();
    assert!(!left.contains(".tmp"), "a temporary file is left: {said}");
    let errors: Vec<&str> = said.lines().filter(|l| l.starts_with("error:")).collect();
    assert_eq!(errors.len(), 3, "{said}");
    assert!(errors[0].contains("disk/run") && errors[0].contains("No space left"), "{said}");
    assert!(errors[1].contains("Read-only") && errors[2].contains("Read-only"), "{said}");
}

/// Compiled kernels that do not fit are no reason to stop: one warning, and nothing half-written stays.
#[test]
fn a_full_disk_for_compiled_kernels_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let nvrtc = crate::common::nvrtc("13");
    let script = format!(
        r#"
        mkdir cache && mount -t tmpfs -o size=8k none cache || exit 7
        export WARP19_CACHE=cache WARP19_NVRTC='{}'
        $WARP19 verify --device softgpu --only adam,pool || exit 8
        echo "left: $(ls -A cache | wc -l)"
    "#,
        nvrtc.display()
    );
    let Some(said) = in_private_mounts(&script, dir.path()) else {
        eprintln!("not run: no mounts may be made here");
        return;
    };
    assert_eq!(said.matches("cannot be kept in cache").count(), 1, "{said}");
    assert!(said.contains("No space left") && said.contains("WARP19_CACHE"), "{said}");
    assert!(said.contains(" 0 failed") && said.contains("left: 0"), "{said}");
}
