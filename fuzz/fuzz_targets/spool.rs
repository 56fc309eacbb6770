//! Drains a spool with an arbitrary file into the store. The file is removed or quarantined.

#![no_main]

use std::fs;
use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::config::Settings;
use memctl_fuzz::paths::session_key;
use memctl_fuzz::spool::{self, drain};
use memctl_fuzz::store::Store;
use memctl_fuzz::store::queue::Fence;

struct World {
    settings: Settings,
    store: Store,
    fence: Fence,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| {
    let mut settings = memctl_fuzz::settings();
    settings.paths.create().unwrap();
    let store = Store::open(&settings.paths).unwrap();
    Mutex::new(World { settings, store, fence: Fence::new("claude-code", "s") })
});

fuzz_target!(|bytes: &[u8]| {
    let mut world = WORLD.lock().unwrap();
    let World { settings, store, fence } = &mut *world;
    let key = session_key("claude-code", "s");
    let place = settings.paths.spool(&key);
    fs::create_dir_all(place.path()).unwrap();
    fs::write(place.path().join("0000000001.json"), bytes).unwrap();
    let drained = drain::drain(store, settings, &key, fence, 1_700_000_000_000).unwrap();
    assert_eq!(drained.events + drained.dead_letters, 1);
    assert!(!spool::exists(&settings.paths, &key));
    if drained.dead_letters > 0 {
        fs::remove_dir_all(settings.paths.dead_letters().path()).unwrap();
    }
});
