# frozen_string_literal: true

# Prints as JSON what the answers are: of Converse, of ConverseStream, and of a stream that breaks.
require "json"
require_relative "bedrock"

def ask(prompt)
  { model_id: "us.amazon.nova-lite-v1:0", messages: [{ role: "user", content: [{ text: prompt }] }] }
end

client = Bedrock.connect
converse = client.converse(ask("one"))
events = []
client.stream(ask("two")) { |event| events << event }
broken = []
client.stream(ask("three")) { |event| broken << event.event_type }
refused = begin
  client.converse(ask("four"))
rescue Aws::Errors::ServiceError => e
  [e.code, e.message, e.context.http_response.status_code]
end
puts JSON.generate(
  converse: [converse.output.message.content[0].text, converse.stop_reason],
  stream: events.map(&:event_type),
  text: events.select { |event| event.event_type == :content_block_delta }.map { |event| event.delta.text }.join,
  broken: broken,
  refused: refused
)
