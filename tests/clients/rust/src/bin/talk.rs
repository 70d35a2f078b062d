//! One conversation over a bidirectional stream, as in ../javascript/conversation.mjs.

use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::error::InvokeModelWithBidirectionalStreamInputError as InputError;
use aws_sdk_bedrockruntime::types::{
    BidirectionalInputPayloadPart, InvokeModelWithBidirectionalStreamInput as Input,
    InvokeModelWithBidirectionalStreamOutput as Output,
};
use serde_json::{json, Value};
use std::collections::{HashMap, VecDeque};
use tokio::sync::mpsc::{unbounded_channel, UnboundedSender};
use tokio_stream::wrappers::UnboundedReceiverStream;

type Sender = UnboundedSender<Result<Input, InputError>>;

struct Steps {
    steps: VecDeque<Value>,
    counts: HashMap<String, u64>,
    awaited: HashMap<String, u64>,
    sender: Option<Sender>,
}

impl Steps {
    /// Sends the events up to the next one that is awaited.
    fn advance(&mut self) {
        while let Some(step) = self.steps.front() {
            if let Some(name) = step["await"].as_str() {
                let wanted = self.awaited.get(name).unwrap_or(&0) + 1;
                if self.counts.get(name).unwrap_or(&0) < &wanted {
                    return;
                }
                self.awaited.insert(name.into(), wanted);
            } else if step["end"] == true {
                self.sender = None;
            } else if let Some(sender) = &self.sender {
                let bytes = Blob::new(step["send"].to_string());
                let part = BidirectionalInputPayloadPart::builder().bytes(bytes).build();
                let _ = sender.send(Ok(Input::Chunk(part)));
            }
            self.steps.pop_front();
        }
    }
}

#[tokio::main]
async fn main() {
    let job: Value = serde_json::from_reader(std::io::stdin()).expect("a job");
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let client = aws_sdk_bedrockruntime::Client::new(&config);
    let (sender, receiver) = unbounded_channel();
    let mut steps = Steps {
        steps: job["steps"].as_array().expect("steps").clone().into(),
        counts: HashMap::new(),
        awaited: HashMap::new(),
        sender: Some(sender),
    };
    steps.advance();
    let call = client
        .invoke_model_with_bidirectional_stream()
        .model_id(job["model"].as_str().expect("a model"))
        .body(UnboundedReceiverStream::new(receiver).into());
    let mut body = match call.send().await {
        Ok(output) => output.body,
        Err(error) => {
            let status = error.raw_response().map(|response| response.status().as_u16());
            let message = format!("{:?}", error.into_service_error());
            println!("{}", json!({"error": message, "status": status}));
            return;
        }
    };
    loop {
        match body.recv().await {
            Ok(Some(Output::Chunk(part))) => {
                let bytes = part.bytes.unwrap_or_else(|| Blob::new(Vec::new()));
                let value: Value = serde_json::from_slice(bytes.as_ref()).expect("JSON");
                if let Some(name) = value["event"].as_object().and_then(|event| event.keys().next()) {
                    *steps.counts.entry(name.clone()).or_default() += 1;
                }
                println!("{value}");
                steps.advance();
            }
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => {
                println!("{}", json!({"error": format!("{error:?}")}));
                return;
            }
        }
    }
}
