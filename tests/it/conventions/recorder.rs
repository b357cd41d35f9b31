//! Every version of every object of one kind in one namespace, in the order in which the API server stored them.

use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::{Api, Client, Resource};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::PATIENCE;

/// One version of an object, as the API server gave it: nothing is filled in or left out by a type.
#[derive(Clone, Debug)]
pub struct Version {
    /// Whether this was the last of it: the object has gone.
    pub gone: bool,
    /// The object.
    pub object: Value,
}

impl Version {
    /// The name.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The resourceVersion.
    pub fn resource_version(&self) -> &str {
        self.object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
    }
}

/// Watches from the moment it is made until it is dropped.
pub struct Recorder {
    api: Api<DynamicObject>,
    seen: watch::Receiver<Vec<Version>>,
    task: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recorder {
    /// Begins. What there is already is not recorded.
    pub async fn of<K: Resource<DynamicType = ()>>(client: Client, namespace: &str) -> Self {
        let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &ApiResource::erase::<K>(&()));
        let mut from = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
        let (tx, seen) = watch::channel(Vec::new());
        let watched = api.clone();
        let task = tokio::spawn(async move {
            loop {
                let events = watched.watch(&WatchParams::default(), &from).await.unwrap();
                let mut events = std::pin::pin!(events);
                // A watch that the server ends is taken up where it stopped.
                while let Some(Ok(event)) = events.next().await {
                    let (gone, object) = match event {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) => (false, object),
                        WatchEvent::Deleted(object) => (true, object),
                        WatchEvent::Bookmark(_) => continue,
                        WatchEvent::Error(error) => panic!("a version may have been missed: {error:?}"),
                    };
                    from = object.metadata.resource_version.clone().unwrap();
                    let object = serde_json::to_value(object).unwrap();
                    tx.send_modify(|all| all.push(Version { gone, object }));
                }
            }
        });
        Self { api, seen, task }
    }

    /// All versions of one object until now.
    pub async fn versions(&mut self, name: &str) -> Vec<Version> {
        let last = self.api.get_opt(name).await.unwrap().and_then(|o| o.metadata.resource_version);
        self.until(|all| match all.iter().rfind(|v| v.name() == name) {
            Some(version) if last.is_none() => version.gone,
            Some(version) => Some(version.resource_version()) == last.as_deref(),
            None => false,
        })
        .await;
        let all = self.seen.borrow();
        all.iter().filter(|v| v.name() == name).cloned().collect()
    }

    /// The names of all objects that were seen.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.seen.borrow().iter().map(|v| v.name().to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }

    async fn until(&mut self, done: impl Fn(&[Version]) -> bool) {
        let come = tokio::time::timeout(PATIENCE, self.seen.wait_for(|all| done(all))).await;
        come.expect("the watch shows what was read").expect("the watch goes on");
    }
}
