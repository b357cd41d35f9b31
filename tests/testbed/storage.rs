//! etcd itself, past the API server: for what would take an hour through it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ControlPlane;
use crate::control_plane::sure;
use crate::endpoint::block_on;
use crate::error::{Error, Result};

/// What etcd takes in one transaction, by its defaults: so many writes and about so many bytes, which JSON makes a third
/// more.
const MOST: (usize, usize) = (120, 900_000);

impl ControlPlane {
    /// What the API server has stored under this key, such as `/registry/example.com/things/namespace/name`. Panics if
    /// etcd cannot be asked.
    #[must_use]
    #[track_caller]
    pub fn stored(&self, key: &str) -> Option<Vec<u8>> {
        let ask = || async {
            let answer = self.ask("/v3/kv/range", &json!({ "key": STANDARD.encode(key) })).await?;
            let Some(value) = answer["kvs"][0]["value"].as_str() else { return Ok(None) };
            STANDARD.decode(value).map(Some).map_err(|e| Error::Etcd(e.to_string()))
        };
        sure("read from etcd", block_on(ask))
    }

    /// Stores these, by key, past the API server, which sees them as if another had written them. Nothing is checked: each
    /// must be as the API server itself would have stored it. Panics if etcd does not take them.
    #[track_caller]
    pub fn store(&self, objects: &[(String, Vec<u8>)]) {
        let put = || async {
            let mut rest = objects;
            while !rest.is_empty() {
                let mut bytes = 0;
                let fits = rest.iter().take(MOST.0).take_while(|(_, value)| {
                    bytes += value.len();
                    bytes <= MOST.1
                });
                let (now, later) = rest.split_at(fits.count().max(1));
                rest = later;
                let puts = now.iter().map(|(key, value)| {
                    json!({ "requestPut": { "key": STANDARD.encode(key), "value": STANDARD.encode(value) } })
                });
                let answer = self.ask("/v3/kv/txn", &json!({ "success": puts.collect::<Vec<_>>() })).await?;
                if answer["succeeded"] != json!(true) {
                    return Err(Error::Etcd(answer.to_string()));
                }
            }
            Ok(())
        };
        sure("write to etcd", block_on(put));
    }

    async fn ask(&self, path: &str, question: &Value) -> Result<Value> {
        let request = http::Request::post(path)
            .body(question.to_string().into_bytes())
            .map_err(|error| Error::Etcd(error.to_string()))?;
        Ok(self.etcd_client()?.request(request).await?)
    }
}
