# frozen_string_literal: true

# A client of Bedrock Runtime on AWS's gem aws-sdk-core, with the operations Converse and
# ConverseStream. The gem aws-sdk-bedrockruntime is generated code that declares the same; Debian
# has no package of it.
require "aws-sdk-core"
require "aws-sdk-core/plugins/event_stream_configuration"
require "aws-sdk-sts"

module Bedrock
  # The classes of a stream's events, where the decoder of aws-sdk-core looks them up.
  module Types
    class Stream < Enumerator
    end
  end

  # A class for each error that an answer names.
  module Errors
    extend Aws::Errors::DynamicErrors
  end

  # What a program registers its blocks for events with.
  module EventStreams
    class Stream
      attr_reader :event_emitter

      def initialize
        @event_emitter = Aws::EventEmitter.new
      end
    end
  end

  # Names in Ruby by names in JSON.
  def self.snake_case(name)
    name.gsub(/([A-Z])/) { "_#{Regexp.last_match(1).downcase}" }.to_sym
  end

  def self.refer(shape, **options)
    Seahorse::Model::Shapes::ShapeRef.new(shape: shape, **options)
  end

  def self.structure(event: false, **members)
    shape = Seahorse::Model::Shapes::StructureShape.new
    members.each do |name, member|
      member = refer(member, location_name: name.to_s) unless member.is_a?(Seahorse::Model::Shapes::ShapeRef)
      shape.add_member(snake_case(name.to_s), member)
    end
    names = shape.member_names + (event ? [:event_type] : [])
    shape.struct_class = Struct.new(*names) { include Aws::Structure }
    shape
  end

  def self.list(member)
    Seahorse::Model::Shapes::ListShape.new.tap { |shape| shape.member = refer(member) }
  end

  def self.event(name, **members)
    refer(structure(event: true, **members), event: true, location_name: name.to_s)
  end

  STRING = Seahorse::Model::Shapes::StringShape.new
  INTEGER = Seahorse::Model::Shapes::IntegerShape.new
  BLOCK = structure(text: STRING)
  MESSAGE = structure(role: STRING, content: list(BLOCK))
  INPUT = structure(
    modelId: refer(STRING, location: "uri", location_name: "modelId", required: true),
    messages: list(MESSAGE)
  )
  STREAM = structure(
    messageStart: event(:messageStart, role: STRING),
    contentBlockDelta: event(:contentBlockDelta, contentBlockIndex: INTEGER, delta: BLOCK),
    contentBlockStop: event(:contentBlockStop, contentBlockIndex: INTEGER),
    messageStop: event(:messageStop, stopReason: STRING),
    modelStreamErrorException: refer(
      structure(event: true, message: STRING), location_name: "modelStreamErrorException"
    )
  )
  STREAM.struct_class = Types::Stream
  OUTPUTS = {
    converse: structure(output: structure(message: MESSAGE), stopReason: STRING),
    converse_stream: structure(stream: refer(STREAM, eventstream: true, location_name: "stream"))
  }.freeze
  OUTPUTS[:converse_stream][:payload] = :stream
  OUTPUTS[:converse_stream][:payload_member] = OUTPUTS[:converse_stream].member(:stream)

  API = Seahorse::Model::Api.new.tap do |api|
    api.version = "2023-09-30"
    api.metadata = {
      "endpointPrefix" => "bedrock-runtime", "protocol" => "rest-json", "serviceId" => "Bedrock Runtime",
      "signatureVersion" => "v4", "signingName" => "bedrock"
    }
    OUTPUTS.each do |name, output|
      api.add_operation(name, Seahorse::Model::Operation.new.tap do |operation|
        operation.name = name == :converse ? "Converse" : "ConverseStream"
        operation.http_method = "POST"
        operation.http_request_uri = "/model/{modelId}/#{name.to_s.tr('_', '-')}"
        operation.input = refer(INPUT)
        operation.output = refer(output)
      end)
    end
  end

  # Chooses the signature, which generated code takes from the rules of the service's endpoints.
  class Signature < Seahorse::Client::Plugin
    # Names the signature of each request.
    class Handler < Seahorse::Client::Handler
      def call(context)
        context[:auth_scheme] = {
          "name" => "sigv4", "signingName" => "bedrock", "signingRegion" => context.config.region
        }
        @handler.call(context)
      end
    end

    handler(Handler, step: :build, priority: 75)
  end

  class Client < Seahorse::Client::Base
    @identifier = :bedrockruntime
    set_api(API)
    # The plugins of a generated client whose protocol is JSON over REST, except for its endpoints.
    own = Aws::STS::Client.plugins.reject { |plugin| plugin.name.match?(/STS|Query/) }
    (own + [Aws::Plugins::Protocols::RestJson, Aws::Plugins::EventStreamConfiguration, Signature])
      .each { |plugin| add_plugin(plugin) }

    class << self
      attr_reader :identifier

      def errors_module
        Errors
      end
    end

    # Yields each event of the answer when it arrives.
    def stream(parameters, &block)
      request = build_request(:converse_stream, parameters)
      events = EventStreams::Stream.new
      STREAM.member_names.each { |name| events.event_emitter.on(name, block) }
      request.context[:event_stream_handler] = events
      request.handlers.add(Aws::Binary::DecodeHandler, priority: 95)
      request.send_request
    end
  end

  # The version of aws-sdk-core in Debian 12 does not read this variable itself.
  def self.connect
    Client.new(endpoint: ENV.fetch("AWS_ENDPOINT_URL_BEDROCK_RUNTIME"))
  end
end
