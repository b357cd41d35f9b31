//! Runs the health scripts of `manifests/components/argocd` as Argo CD does: Lua 5.1, the object as `obj`, only the
//! libraries that it opens, a table with `status` and `message` as the answer.
//!
//! This crate is for tests, and apart from them so that nothing else waits for Lua to build. It must not know what the
//! scripts ought to say.

use std::collections::BTreeMap;

use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib};
use serde::Deserialize;
use serde_json::Value;

/// The patch of Argo CD's configuration.
const PATCH: &str = include_str!("../../manifests/components/argocd/health.yaml");

/// What a script says of an object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// `Healthy`, `Progressing`, `Degraded`, `Suspended`, `Missing` or `Unknown`.
    pub status: String,
    /// What Argo CD shows beside it.
    pub message: String,
}

#[derive(Deserialize)]
struct ConfigMap {
    data: BTreeMap<String, String>,
}

/// The scripts by the key under which Argo CD looks them up. Fails where the patch is not YAML.
pub fn scripts() -> Result<BTreeMap<String, String>, serde_saphyr::Error> {
    Ok(serde_saphyr::from_str::<ConfigMap>(PATCH)?.data)
}

/// Has a script judge an object. Fails where the script does, or where its answer is no health.
pub fn judge(script: &str, object: &Value) -> mlua::Result<Health> {
    let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING, LuaOptions::default())?;
    lua.globals().set("obj", lua.to_value(object)?)?;
    lua.from_value(lua.load(script).eval()?)
}
