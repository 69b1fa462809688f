//! Traces of an apply for OpenTelemetry: one span for the whole, one for each step, sent by OTLP over HTTP. On when the
//! standard variables name a collector (`OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`), else off.
//!
//! Guarantees: spans are only queued while the apply runs; a collector that is slow, broken or not there neither fails nor
//! delays it. At the end of the command what is queued gets a second to leave, or as long as `OTEL_EXPORTER_OTLP_TIMEOUT` says.

use imm_ir::Addr;
use imm_runtime::apply::{Event, Outcome};
use imm_runtime::id::ObjectId;
use imm_runtime::plan::Plan;
use imm_runtime::report::status;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long what is queued may take to leave at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// The traces of one command.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    open: Mutex<Open>,
    patience: Duration,
}

/// Spans that have not ended.
#[derive(Default)]
struct Open {
    whole: Option<Context>,
    steps: BTreeMap<(&'static str, ObjectId), Span>,
}

impl Traces {
    /// On when a collector is named. A collector that cannot be used is said once, and nothing else happens.
    pub fn from_environment() -> Option<Self> {
        let set = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
        let named = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
        let off = set("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"))
            || set("OTEL_TRACES_EXPORTER").is_some_and(|v| v == "none");
        named.filter(|_| !off)?;
        let asked = set("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT").or_else(|| set("OTEL_EXPORTER_OTLP_TIMEOUT"));
        let asked = asked.and_then(|ms| ms.trim().parse().ok()).map(Duration::from_millis);
        let patience = asked.unwrap_or(PATIENCE);
        let mut exporter =
            SpanExporter::builder().with_http().with_http_client(Http::new(patience)).with_timeout(patience);
        let protocol = set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|| set("OTEL_EXPORTER_OTLP_PROTOCOL"));
        if protocol.is_some_and(|p| p == "grpc") {
            crate::ui::err("warning: traces go by http/protobuf: this imm does not speak grpc to collectors\n");
            exporter = exporter.with_protocol(Protocol::HttpBinary);
        }
        let exporter = match exporter.build() {
            Ok(exporter) => exporter,
            Err(e) => {
                crate::ui::err(&format!("warning: no traces are sent: {e}\n"));
                return None;
            }
        };
        let mut resource = Resource::builder();
        if set("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("imm");
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        let tracer = provider.tracer("imm");
        Some(Self { provider, tracer, open: Mutex::default(), patience })
    }

    /// An apply begins.
    pub fn apply(&self, plan: &Plan, module: &str) {
        let verb = status::verb(&plan.verb);
        let mut attributes = vec![
            KeyValue::new("imm.verb", verb.clone()),
            KeyValue::new("imm.module", module.to_owned()),
            KeyValue::new("imm.environment", plan.environment.clone()),
            KeyValue::new("imm.plan", plan.digest().hex()),
            KeyValue::new("imm.lineage", plan.lineage.to_string()),
        ];
        attributes.extend(plan.base_generation.map(|g| KeyValue::new("imm.base_generation", count(g))));
        attributes.extend(
            plan.summary().into_iter().map(|(action, n)| KeyValue::new(format!("imm.steps.{action}"), count(n))),
        );
        self.begin(verb.split(' ').next().unwrap_or("apply"), attributes);
    }

    /// A recovery begins.
    pub fn recovery(&self, module: &str) {
        self.begin("recover", vec![KeyValue::new("imm.module", module.to_owned())]);
    }

    fn begin(&self, verb: &str, attributes: Vec<KeyValue>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let builder = self.tracer.span_builder(format!("imm {verb}"));
        let builder = builder.with_kind(SpanKind::Internal).with_attributes(attributes);
        let parent = parent();
        let span = self.tracer.build_with_context(builder, &parent);
        open.whole = Some(parent.with_span(span));
    }

    fn step(&self, action: &'static str, address: &Addr, object: ObjectId) -> SpanBuilder {
        self.tracer.span_builder(format!("{action} {address}")).with_attributes(vec![
            KeyValue::new("imm.action", action),
            KeyValue::new("imm.address", address.to_string()),
            KeyValue::new("imm.object", object.to_string()),
        ])
    }

    /// Something happened.
    pub fn see(&self, event: &Event) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(whole) = open.whole.clone() else { return };
        let said = |name: &'static str, attributes: Vec<KeyValue>| whole.span().add_event(name, attributes);
        match event {
            Event::StepStarted { action, address, object } => {
                let builder = self.step(action, address, *object);
                open.steps.insert((*action, *object), self.tracer.build_with_context(builder, &whole));
            }
            Event::StepDone { action, address, object, took_ms } => {
                let mut span = open.steps.remove(&(*action, *object)).unwrap_or_else(|| {
                    // Ends of objects are told when they are done.
                    let began = SystemTime::now().checked_sub(Duration::from_millis(*took_ms));
                    let builder =
                        self.step(action, address, *object).with_start_time(began.unwrap_or_else(SystemTime::now));
                    self.tracer.build_with_context(builder, &whole)
                });
                span.set_status(Status::Ok);
                span.end();
            }
            Event::StepFailed { action, object, error, .. } => {
                if let Some(mut span) = open.steps.remove(&(*action, *object)) {
                    span.set_status(Status::error(error.clone()));
                    span.end();
                }
            }
            Event::Started { apply, .. } => whole.span().set_attribute(KeyValue::new("imm.apply", apply.to_string())),
            Event::Stage { stage, of, .. } => {
                said("stage", vec![KeyValue::new("stage", count(*stage)), KeyValue::new("of", count(*of))]);
            }
            Event::Switched { address, targets } => {
                let targets = i64::try_from(*targets).unwrap_or(i64::MAX);
                said(
                    "switched",
                    vec![KeyValue::new("imm.address", address.to_string()), KeyValue::new("targets", targets)],
                );
            }
            Event::Committed { generation } => {
                said("committed", vec![KeyValue::new("imm.generation", count(*generation))]);
            }
            Event::GateJudged { address, stage, verdict, why, .. } => said(
                "gate",
                vec![
                    KeyValue::new("imm.address", address.to_string()),
                    KeyValue::new("stage", count(*stage)),
                    KeyValue::new("verdict", crate::ui::rollout::verdict(*verdict)),
                    KeyValue::new("why", why.clone()),
                ],
            ),
            Event::Failed { error } => said("failed", vec![KeyValue::new("error", error.clone())]),
            Event::Unwinding => said("unwinding", Vec::new()),
            _other => {}
        }
    }

    /// The apply or recovery came to its end.
    pub fn end(&self, outcome: Result<&Outcome, String>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(whole) = open.whole.take() else { return };
        let (word, failed) = match outcome {
            Ok(Outcome::NothingToDo) => ("nothing_to_do", None),
            Ok(Outcome::Committed { generation, .. }) => {
                whole.span().set_attribute(KeyValue::new("imm.generation", count(*generation)));
                ("committed", None)
            }
            Ok(Outcome::RolledBack { error, .. }) => ("rolled_back", Some(error.clone())),
            Ok(Outcome::Reverted { error, .. }) => ("reverted", Some(error.clone())),
            Ok(Outcome::Drilled { error, .. }) => ("drilled", error.clone()),
            Ok(Outcome::Stuck { error, why, .. }) => ("stuck", Some(format!("{error}: {why}"))),
            Err(error) => ("interrupted", Some(error)),
        };
        // What was under way when it ended never came to an end of its own.
        for (_, mut span) in std::mem::take(&mut open.steps) {
            span.set_status(Status::error("not finished"));
            span.end();
        }
        whole.span().set_attribute(KeyValue::new("imm.outcome", word));
        whole.span().set_status(failed.map_or(Status::Ok, Status::error));
        whole.span().end();
    }
}

impl Drop for Traces {
    /// What is queued leaves, or is lost: nobody waits longer for a collector.
    fn drop(&mut self) {
        self.end(Err("the command ended".to_owned()));
        drop(self.provider.shutdown_with_timeout(self.patience));
    }
}

fn count(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

/// The span that this command belongs to, as CI systems hand it on.
fn parent() -> Context {
    let carried: HashMap<String, String> = [("traceparent", "TRACEPARENT"), ("tracestate", "TRACESTATE")]
        .into_iter()
        .filter_map(|(header, name)| Some((header.to_owned(), std::env::var(name).ok()?)))
        .collect();
    TraceContextPropagator::new().extract(&carried)
}

/// One request to the collector. Blocks the exporter's own thread and nothing else.
#[derive(Debug)]
struct Http(ureq::Agent);

impl Http {
    fn new(patience: Duration) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(patience)).http_status_as_error(false);
        Self(config.build().into())
    }
}

#[async_trait::async_trait]
impl HttpClient for Http {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let mut answer = self.0.run(Request::from_parts(parts, body.to_vec()))?;
        let bytes = answer.body_mut().read_to_vec()?;
        Ok(Response::builder().status(answer.status()).body(bytes.into())?)
    }
}
