//! Clients that are not ours: headless Neovim with the configuration in `lsp/editors/neovim`, and the VS Code extension's
//! own client code under Node.

use std::{fs, process::Command};
use zester_tests::{
    command,
    editor::{copy, program},
    repository,
};

#[test]
fn neovim_opens_completes_jumps_and_renames() {
    let neovim = program("nvim", &["neovim"]);
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("states/common.zy", "tools:\n  pkg.installed: []\n"),
        (
            "states/web.zy",
            "include:\n  - common\nnginx:\n  pkg.installed: []\n  service.running:\n    - require:\n      - pkg: nginxx\n    - en\n/etc/motd:\n  file.managed:\n    - contents: {{ settings.motd }}\n",
        ),
        ("settings/top.zy", "base:\n  '*': [site]\n"),
        ("settings/site.zy", "motd: hello\n"),
    ] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let script = repository().join("tests/editors/neovim.lua");
    let output = Command::new(neovim)
        .args(["--headless", "-u", "NONE", "-i", "NONE", "-n", "-c"])
        .arg(format!("luafile {}", script.display()))
        .arg("states/web.zy")
        .current_dir(dir.path())
        .env("ZESTER", command::zester())
        .env("ZESTER_LUA", repository().join("lsp/editors/neovim/zester.lua"))
        .env("XDG_STATE_HOME", dir.path().join("state"))
        .env("XDG_CACHE_HOME", dir.path().join("cache"))
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("all done"), "{said}");
}

#[test]
fn the_extension_for_vs_code_builds_packs_and_drives_the_server() {
    let npm = program("npm", &["nodejs", "npm"]);
    let work = repository().join("target/vscode-extension");
    fs::create_dir_all(&work).unwrap();
    copy(&repository().join("lsp/editors/vscode"), &work, &["node_modules", "out"]);
    let run = |args: &[&str]| {
        let output = Command::new(&npm)
            .args(args)
            .current_dir(&work)
            .env("ZESTER", command::zester())
            .output()
            .unwrap_or_else(|e| panic!("npm {args:?}: {e}"));
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "npm {args:?}: {said}");
        said
    };
    run(&["ci", "--no-audit", "--no-fund"]);
    let said = run(&["test"]);
    assert!(said.contains("fail 0"), "{said}");
    let said = run(&["run", "package"]);
    assert!(said.contains("zester-0.1.0.vsix"), "{said}");
    assert!(fs::metadata(work.join("zester-0.1.0.vsix")).unwrap().len() > 50_000);
    let lock = fs::read_to_string(work.join("package-lock.json")).unwrap();
    assert!(!lock.contains("http"), "the lock file names hosts");
}
