"""The operations of Bedrock's services in botocore.

`docs/generate` writes this table from botocore's service models.
"""

# A line `# SERVICE` begins a service, with the prefix of its header X-Amz-Target if it has one.
# Each operation is its method, its path and its name; `*` marks an operation that answers with an
# event stream, and `**` an operation whose request is an event stream too.
TABLE = """
# bedrock-runtime
POST /guardrail/{guardrailIdentifier}/version/{guardrailVersion}/apply ApplyGuardrail POST /model/{modelId}/converse
Converse POST /model/{modelId}/converse-stream ConverseStream* POST /model/{modelId}/count-tokens CountTokens GET
/async-invoke/{invocationArn} GetAsyncInvoke POST /guardrail-checks/invoke InvokeGuardrailChecks POST
/model/{modelId}/invoke InvokeModel POST /model/{modelId}/invoke-with-bidirectional-stream
InvokeModelWithBidirectionalStream** POST /model/{modelId}/invoke-with-response-stream
InvokeModelWithResponseStream* GET /async-invoke ListAsyncInvokes POST /async-invoke StartAsyncInvoke
# bedrock-agent-runtime
POST /agenticRetrieveStream AgenticRetrieveStream* POST
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/check-ingested-document-acl CheckIngestedDocumentAcl
PUT /sessions/{sessionIdentifier}/invocations/ CreateInvocation PUT /sessions/ CreateSession DELETE
/agents/{agentId}/agentAliases/{agentAliasId}/memories DeleteAgentMemory DELETE /sessions/{sessionIdentifier}/
DeleteSession PATCH /sessions/{sessionIdentifier} EndSession POST /generateQuery GenerateQuery GET
/agents/{agentId}/agentAliases/{agentAliasId}/memories GetAgentMemory POST
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/documents/{documentId}/content GetDocumentContent GET
/flows/{flowIdentifier}/aliases/{flowAliasIdentifier}/executions/{executionIdentifier}/flowsnapshot
GetExecutionFlowSnapshot GET /flows/{flowIdentifier}/aliases/{flowAliasIdentifier}/executions/{executionIdentifier}
GetFlowExecution POST /knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/get-ingested-document-acl
GetIngestedDocumentAcl POST /sessions/{sessionIdentifier}/invocationSteps/{invocationStepId} GetInvocationStep GET
/sessions/{sessionIdentifier}/ GetSession POST
/agents/{agentId}/agentAliases/{agentAliasId}/sessions/{sessionId}/text InvokeAgent* POST
/flows/{flowIdentifier}/aliases/{flowAliasIdentifier} InvokeFlow* POST /agents/{sessionId} InvokeInlineAgent* GET
/flows/{flowIdentifier}/aliases/{flowAliasIdentifier}/executions/{executionIdentifier}/events
ListFlowExecutionEvents GET /flows/{flowIdentifier}/executions ListFlowExecutions POST
/sessions/{sessionIdentifier}/invocationSteps/ ListInvocationSteps POST /sessions/{sessionIdentifier}/invocations/
ListInvocations POST /sessions/ ListSessions GET /tags/{resourceArn} ListTagsForResource POST /optimize-prompt
OptimizePrompt* PUT /sessions/{sessionIdentifier}/invocationSteps/ PutInvocationStep POST /rerank Rerank POST
/knowledgebases/{knowledgeBaseId}/retrieve Retrieve POST /retrieveAndGenerate RetrieveAndGenerate POST
/retrieveAndGenerateStream RetrieveAndGenerateStream* POST
/flows/{flowIdentifier}/aliases/{flowAliasIdentifier}/executions StartFlowExecution POST
/flows/{flowIdentifier}/aliases/{flowAliasIdentifier}/executions/{executionIdentifier}/stop StopFlowExecution POST
/tags/{resourceArn} TagResource DELETE /tags/{resourceArn} UntagResource PUT /sessions/{sessionIdentifier}/
UpdateSession
# bedrock
POST /projects/{projectIdentifier}/archive ArchiveProject POST /advanced-prompt-optimization-job/batch-delete
BatchDeleteAdvancedPromptOptimizationJob POST /evaluation-jobs/batch-delete BatchDeleteEvaluationJob POST
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}/cancel
CancelAutomatedReasoningPolicyBuildWorkflow POST /advanced-prompt-optimization-jobs
CreateAdvancedPromptOptimizationJob POST /automated-reasoning-policies CreateAutomatedReasoningPolicy POST
/automated-reasoning-policies/{policyArn}/test-cases CreateAutomatedReasoningPolicyTestCase POST
/automated-reasoning-policies/{policyArn}/versions CreateAutomatedReasoningPolicyVersion POST
/custom-models/create-custom-model CreateCustomModel POST /model-customization/custom-model-deployments
CreateCustomModelDeployment POST /evaluation-jobs CreateEvaluationJob POST /create-foundation-model-agreement
CreateFoundationModelAgreement POST /guardrails CreateGuardrail POST /guardrails/{guardrailIdentifier}
CreateGuardrailVersion POST /inference-profiles CreateInferenceProfile POST /marketplace-model/endpoints
CreateMarketplaceModelEndpoint POST /model-copy-jobs CreateModelCopyJob POST /model-customization-jobs
CreateModelCustomizationJob POST /model-import-jobs CreateModelImportJob POST /model-invocation-job
CreateModelInvocationJob POST /projects CreateProject POST /prompt-routers CreatePromptRouter POST
/provisioned-model-throughput CreateProvisionedModelThroughput DELETE /v1/data_retention/storage/{modelProvider}
DeleteAccountDataRetentionStorage DELETE /automated-reasoning-policies/{policyArn} DeleteAutomatedReasoningPolicy
DELETE /automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}
DeleteAutomatedReasoningPolicyBuildWorkflow DELETE /automated-reasoning-policies/{policyArn}/test-cases/{testCaseId}
DeleteAutomatedReasoningPolicyTestCase DELETE /custom-models/{modelIdentifier} DeleteCustomModel DELETE
/model-customization/custom-model-deployments/{customModelDeploymentIdentifier} DeleteCustomModelDeployment DELETE
/enforcedGuardrailsConfiguration/{configId} DeleteEnforcedGuardrailConfiguration POST
/delete-foundation-model-agreement DeleteFoundationModelAgreement DELETE /guardrails/{guardrailIdentifier}
DeleteGuardrail DELETE /imported-models/{modelIdentifier} DeleteImportedModel DELETE
/inference-profiles/{inferenceProfileIdentifier} DeleteInferenceProfile DELETE
/marketplace-model/endpoints/{endpointArn} DeleteMarketplaceModelEndpoint DELETE /logging/modelinvocations
DeleteModelInvocationLoggingConfiguration DELETE /v1/data_retention/organization-storage/{modelProvider}
DeleteOrganizationDataRetentionStorage DELETE
/v1/projects/{projectIdentifier}/data_retention/storage/{modelProvider} DeleteProjectDataRetentionStorage DELETE
/prompt-routers/{promptRouterArn} DeletePromptRouter DELETE /provisioned-model-throughput/{provisionedModelId}
DeleteProvisionedModelThroughput DELETE /resource-policy/{resourceArn} DeleteResourcePolicy DELETE
/marketplace-model/endpoints/{endpointArn}/registration DeregisterMarketplaceModelEndpoint GET
/automated-reasoning-policies/{policyArn}/export ExportAutomatedReasoningPolicyVersion GET /data-retention
GetAccountDataRetention GET /v1/data_retention/storage/{modelProvider} GetAccountDataRetentionStorage GET
/advanced-prompt-optimization-jobs/{jobIdentifier} GetAdvancedPromptOptimizationJob GET
/automated-reasoning-policies/{policyArn} GetAutomatedReasoningPolicy GET
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}/annotations
GetAutomatedReasoningPolicyAnnotations GET
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId} GetAutomatedReasoningPolicyBuildWorkflow
GET /automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}/result-assets
GetAutomatedReasoningPolicyBuildWorkflowResultAssets GET
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}/scenarios
GetAutomatedReasoningPolicyNextScenario GET /automated-reasoning-policies/{policyArn}/test-cases/{testCaseId}
GetAutomatedReasoningPolicyTestCase GET
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}/test-cases/{testCaseId}/test-results
GetAutomatedReasoningPolicyTestResult GET /custom-models/{modelIdentifier} GetCustomModel GET
/model-customization/custom-model-deployments/{customModelDeploymentIdentifier} GetCustomModelDeployment GET
/evaluation-jobs/{jobIdentifier} GetEvaluationJob GET /foundation-models/{modelIdentifier} GetFoundationModel GET
/foundation-model-availability/{modelId} GetFoundationModelAvailability GET /guardrails/{guardrailIdentifier}
GetGuardrail GET /imported-models/{modelIdentifier} GetImportedModel GET
/inference-profiles/{inferenceProfileIdentifier} GetInferenceProfile GET /marketplace-model/endpoints/{endpointArn}
GetMarketplaceModelEndpoint GET /model-copy-jobs/{jobArn} GetModelCopyJob GET
/model-customization-jobs/{jobIdentifier} GetModelCustomizationJob GET /model-import-jobs/{jobIdentifier}
GetModelImportJob GET /model-invocation-job/{jobIdentifier} GetModelInvocationJob GET /logging/modelinvocations
GetModelInvocationLoggingConfiguration GET /v1/data_retention/organization-storage/{modelProvider}
GetOrganizationDataRetentionStorage GET /projects/{projectIdentifier} GetProject GET
/v1/projects/{projectIdentifier}/data_retention/storage/{modelProvider} GetProjectDataRetentionStorage GET
/prompt-routers/{promptRouterArn} GetPromptRouter GET /provisioned-model-throughput/{provisionedModelId}
GetProvisionedModelThroughput GET /resource-policy/{resourceArn} GetResourcePolicy GET
/trusted-access-programs/{programIdentifier} GetTrustedAccessProgram GET
/trusted-access-programs/{programIdentifier}/account-enrollment GetTrustedAccessProgramAccountEnrollment GET
/trusted-access-programs/{programIdentifier}/organization-enrollment GetTrustedAccessProgramOrganizationEnrollment
GET /trusted-access-programs/{programIdentifier}/project-enrollment/{projectIdentifier}
GetTrustedAccessProgramProjectEnrollment GET /use-case-for-model-access GetUseCaseForModelAccess GET
/advanced-prompt-optimization-jobs ListAdvancedPromptOptimizationJobs GET /automated-reasoning-policies
ListAutomatedReasoningPolicies GET /automated-reasoning-policies/{policyArn}/build-workflows
ListAutomatedReasoningPolicyBuildWorkflows GET /automated-reasoning-policies/{policyArn}/test-cases
ListAutomatedReasoningPolicyTestCases GET
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}/test-results
ListAutomatedReasoningPolicyTestResults GET /model-customization/custom-model-deployments ListCustomModelDeployments
GET /custom-models ListCustomModels GET /enforcedGuardrailsConfiguration ListEnforcedGuardrailsConfiguration GET
/evaluation-jobs ListEvaluationJobs GET /list-foundation-model-agreement-offers/{modelId}
ListFoundationModelAgreementOffers GET /foundation-models ListFoundationModels GET /guardrails ListGuardrails GET
/imported-models ListImportedModels GET /inference-profiles ListInferenceProfiles GET /marketplace-model/endpoints
ListMarketplaceModelEndpoints GET /model-copy-jobs ListModelCopyJobs GET /model-customization-jobs
ListModelCustomizationJobs GET /model-import-jobs ListModelImportJobs GET /model-invocation-jobs
ListModelInvocationJobs GET /projects ListProjects GET /prompt-routers ListPromptRouters GET
/provisioned-model-throughputs ListProvisionedModelThroughputs POST /listTagsForResource ListTagsForResource GET
/trusted-access-programs ListTrustedAccessPrograms PUT /data-retention PutAccountDataRetention PUT
/v1/data_retention/storage/{modelProvider} PutAccountDataRetentionStorage PUT /enforcedGuardrailsConfiguration
PutEnforcedGuardrailConfiguration PUT /logging/modelinvocations PutModelInvocationLoggingConfiguration PUT
/v1/data_retention/organization-storage/{modelProvider} PutOrganizationDataRetentionStorage PUT
/v1/projects/{projectIdentifier}/data_retention/storage/{modelProvider} PutProjectDataRetentionStorage POST
/resource-policy PutResourcePolicy PUT /trusted-access-programs/{programIdentifier}/account-enrollment
PutTrustedAccessProgramAccountEnrollment PUT /trusted-access-programs/{programIdentifier}/organization-enrollment
PutTrustedAccessProgramOrganizationEnrollment PUT
/trusted-access-programs/{programIdentifier}/project-enrollment/{projectIdentifier}
PutTrustedAccessProgramProjectEnrollment POST /use-case-for-model-access PutUseCaseForModelAccess POST
/marketplace-model/endpoints/{endpointIdentifier}/registration RegisterMarketplaceModelEndpoint POST
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowType}/start
StartAutomatedReasoningPolicyBuildWorkflow POST
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}/test-workflows
StartAutomatedReasoningPolicyTestWorkflow POST /trusted-access-programs/{programIdentifier}/account-application
StartTrustedAccessProgramAccountApplication POST
/trusted-access-programs/{programIdentifier}/organization-application
StartTrustedAccessProgramOrganizationApplication POST
/trusted-access-programs/{programIdentifier}/project-application/{projectIdentifier}
StartTrustedAccessProgramProjectApplication POST /advanced-prompt-optimization-jobs/{jobIdentifier}/stop
StopAdvancedPromptOptimizationJob POST /evaluation-job/{jobIdentifier}/stop StopEvaluationJob POST
/model-customization-jobs/{jobIdentifier}/stop StopModelCustomizationJob POST
/model-invocation-job/{jobIdentifier}/stop StopModelInvocationJob POST /tagResource TagResource POST /untagResource
UntagResource PATCH /automated-reasoning-policies/{policyArn} UpdateAutomatedReasoningPolicy PATCH
/automated-reasoning-policies/{policyArn}/build-workflows/{buildWorkflowId}/annotations
UpdateAutomatedReasoningPolicyAnnotations PATCH /automated-reasoning-policies/{policyArn}/test-cases/{testCaseId}
UpdateAutomatedReasoningPolicyTestCase PATCH
/model-customization/custom-model-deployments/{customModelDeploymentIdentifier} UpdateCustomModelDeployment PUT
/guardrails/{guardrailIdentifier} UpdateGuardrail PATCH /marketplace-model/endpoints/{endpointArn}
UpdateMarketplaceModelEndpoint POST /projects/{projectIdentifier} UpdateProject PATCH
/provisioned-model-throughput/{provisionedModelId} UpdateProvisionedModelThroughput
# bedrock-agent
PUT /agents/{agentId}/agentversions/{agentVersion}/agentcollaborators/ AssociateAgentCollaborator PUT
/agents/{agentId}/agentversions/{agentVersion}/knowledgebases/ AssociateAgentKnowledgeBase PUT /agents/ CreateAgent
PUT /agents/{agentId}/agentversions/{agentVersion}/actiongroups/ CreateAgentActionGroup PUT
/agents/{agentId}/agentaliases/ CreateAgentAlias PUT /knowledgebases/{knowledgeBaseId}/datasources/ CreateDataSource
POST /flows/ CreateFlow POST /flows/{flowIdentifier}/aliases CreateFlowAlias POST /flows/{flowIdentifier}/versions
CreateFlowVersion PUT /knowledgebases/ CreateKnowledgeBase POST /prompts/ CreatePrompt POST
/prompts/{promptIdentifier}/versions CreatePromptVersion POST /retrievalinstructions/ CreateRetrievalInstruction
POST /retrievalinstructions/{retrievalInstructionId}/versions CreateRetrievalInstructionVersion POST
/knowledgebases/{knowledgeBaseId}/vpcconfigurations/ CreateVpcConfiguration DELETE /agents/{agentId}/ DeleteAgent
DELETE /agents/{agentId}/agentversions/{agentVersion}/actiongroups/{actionGroupId}/ DeleteAgentActionGroup DELETE
/agents/{agentId}/agentaliases/{agentAliasId}/ DeleteAgentAlias DELETE
/agents/{agentId}/agentversions/{agentVersion}/ DeleteAgentVersion DELETE
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId} DeleteDataSource DELETE /flows/{flowIdentifier}/
DeleteFlow DELETE /flows/{flowIdentifier}/aliases/{aliasIdentifier} DeleteFlowAlias DELETE
/flows/{flowIdentifier}/versions/{flowVersion}/ DeleteFlowVersion DELETE /knowledgebases/{knowledgeBaseId}
DeleteKnowledgeBase POST /knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/documents/deleteDocuments
DeleteKnowledgeBaseDocuments DELETE /prompts/{promptIdentifier}/ DeletePrompt DELETE /resourcepolicy/{resourceArn}
DeleteResourcePolicy DELETE /retrievalinstructions/{retrievalInstructionId} DeleteRetrievalInstruction DELETE
/knowledgebases/{knowledgeBaseId}/vpcconfigurations/{vpcConfigurationId} DeleteVpcConfiguration DELETE
/agents/{agentId}/agentversions/{agentVersion}/agentcollaborators/{collaboratorId}/ DisassociateAgentCollaborator
DELETE /agents/{agentId}/agentversions/{agentVersion}/knowledgebases/{knowledgeBaseId}/
DisassociateAgentKnowledgeBase GET /agents/{agentId}/ GetAgent GET
/agents/{agentId}/agentversions/{agentVersion}/actiongroups/{actionGroupId}/ GetAgentActionGroup GET
/agents/{agentId}/agentaliases/{agentAliasId}/ GetAgentAlias GET
/agents/{agentId}/agentversions/{agentVersion}/agentcollaborators/{collaboratorId}/ GetAgentCollaborator GET
/agents/{agentId}/agentversions/{agentVersion}/knowledgebases/{knowledgeBaseId}/ GetAgentKnowledgeBase GET
/agents/{agentId}/agentversions/{agentVersion}/ GetAgentVersion GET
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId} GetDataSource GET /flows/{flowIdentifier}/ GetFlow GET
/flows/{flowIdentifier}/aliases/{aliasIdentifier} GetFlowAlias GET /flows/{flowIdentifier}/versions/{flowVersion}/
GetFlowVersion GET /knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/ingestionjobs/{ingestionJobId}
GetIngestionJob GET /knowledgebases/{knowledgeBaseId} GetKnowledgeBase POST
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/documents/getDocuments GetKnowledgeBaseDocuments GET
/prompts/{promptIdentifier}/ GetPrompt GET /resourcepolicy/{resourceArn} GetResourcePolicy GET
/retrievalinstructions/{retrievalInstructionId} GetRetrievalInstruction GET
/knowledgebases/{knowledgeBaseId}/vpcconfigurations/{vpcConfigurationId} GetVpcConfiguration PUT
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/documents IngestKnowledgeBaseDocuments POST
/agents/{agentId}/agentversions/{agentVersion}/actiongroups/ ListAgentActionGroups POST
/agents/{agentId}/agentaliases/ ListAgentAliases POST
/agents/{agentId}/agentversions/{agentVersion}/agentcollaborators/ ListAgentCollaborators POST
/agents/{agentId}/agentversions/{agentVersion}/knowledgebases/ ListAgentKnowledgeBases POST
/agents/{agentId}/agentversions/ ListAgentVersions POST /agents/ ListAgents POST
/knowledgebases/{knowledgeBaseId}/datasources/ ListDataSources GET /flows/{flowIdentifier}/aliases ListFlowAliases
GET /flows/{flowIdentifier}/versions ListFlowVersions GET /flows/ ListFlows POST
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/ingestionjobs/ ListIngestionJobs POST
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/documents ListKnowledgeBaseDocuments POST
/knowledgebases/ ListKnowledgeBases GET /prompts/ ListPrompts GET
/retrievalinstructions/{retrievalInstructionId}/versions ListRetrievalInstructionVersions GET
/retrievalinstructions/ ListRetrievalInstructions GET /tags/{resourceArn} ListTagsForResource GET
/knowledgebases/{knowledgeBaseId}/vpcconfigurations/ ListVpcConfigurations POST /agents/{agentId}/ PrepareAgent POST
/flows/{flowIdentifier}/ PrepareFlow PUT /resourcepolicy/{resourceArn} PutResourcePolicy PUT
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/ingestionjobs/ StartIngestionJob POST
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId}/ingestionjobs/{ingestionJobId}/stop StopIngestionJob
POST /tags/{resourceArn} TagResource DELETE /tags/{resourceArn} UntagResource PUT /agents/{agentId}/ UpdateAgent PUT
/agents/{agentId}/agentversions/{agentVersion}/actiongroups/{actionGroupId}/ UpdateAgentActionGroup PUT
/agents/{agentId}/agentaliases/{agentAliasId}/ UpdateAgentAlias PUT
/agents/{agentId}/agentversions/{agentVersion}/agentcollaborators/{collaboratorId}/ UpdateAgentCollaborator PUT
/agents/{agentId}/agentversions/{agentVersion}/knowledgebases/{knowledgeBaseId}/ UpdateAgentKnowledgeBase PUT
/knowledgebases/{knowledgeBaseId}/datasources/{dataSourceId} UpdateDataSource PUT /flows/{flowIdentifier}/
UpdateFlow PUT /flows/{flowIdentifier}/aliases/{aliasIdentifier} UpdateFlowAlias PUT
/knowledgebases/{knowledgeBaseId} UpdateKnowledgeBase PUT /prompts/{promptIdentifier}/ UpdatePrompt PUT
/retrievalinstructions/{retrievalInstructionId} UpdateRetrievalInstruction POST /flows/validate-definition
ValidateFlowDefinition
# bedrock-agentcore
POST /memories/{memoryId}/memoryRecords/batchCreate BatchCreateMemoryRecords POST
/memories/{memoryId}/memoryRecords/batchDelete BatchDeleteMemoryRecords POST
/memories/{memoryId}/memoryRecords/batchUpdate BatchUpdateMemoryRecords POST /identities/CompleteResourceTokenAuth
CompleteResourceTokenAuth POST /ab-tests CreateABTest POST /memories/{memoryId}/events CreateEvent POST
/payments/createPaymentInstrument CreatePaymentInstrument POST /payments/createPaymentSession CreatePaymentSession
DELETE /ab-tests/{abTestId} DeleteABTest DELETE /evaluations/batch-evaluate/{batchEvaluationId}
DeleteBatchEvaluation DELETE /capacity-providers/{capacityProviderId}/sessions/{sessionId}
DeleteCapacityProviderSession DELETE /datasets/{datasetId}/generations/{generationId} DeleteDatasetGeneration DELETE
/memories/{memoryId}/actor/{actorId}/sessions/{sessionId}/events/{eventId} DeleteEvent DELETE
/memories/{memoryId}/memoryRecords/{memoryRecordId} DeleteMemoryRecord POST /payments/deletePaymentInstrument
DeletePaymentInstrument POST /payments/deletePaymentSession DeletePaymentSession DELETE
/recommendations/{recommendationId} DeleteRecommendation POST /evaluations/evaluate/{evaluatorId} Evaluate GET
/ab-tests/{abTestId} GetABTest GET /runtimes/{agentRuntimeArn}/invocations/.well-known/agent-card.json GetAgentCard
GET /agentinsights/{agentInsightId} GetAgentInsight GET /evaluations/batch-evaluate/{batchEvaluationId}
GetBatchEvaluation GET /browsers/{browserIdentifier}/sessions/get GetBrowserSession GET
/code-interpreters/{codeInterpreterIdentifier}/sessions/get GetCodeInterpreterSession GET
/datasets/{datasetId}/generations/{generationId} GetDatasetGeneration GET
/memories/{memoryId}/actor/{actorId}/sessions/{sessionId}/events/{eventId} GetEvent GET
/memories/{memoryId}/memoryRecord/{memoryRecordId} GetMemoryRecord POST /payments/getPaymentInstrument
GetPaymentInstrument POST /payments/getPaymentInstrumentBalance GetPaymentInstrumentBalance POST
/payments/getPaymentSession GetPaymentSession GET /recommendations/{recommendationId} GetRecommendation POST
/identities/api-key GetResourceApiKey POST /identities/oauth2/token GetResourceOauth2Token POST
/identities/payment/token GetResourcePaymentToken POST /identities/GetWorkloadAccessToken GetWorkloadAccessToken
POST /identities/GetWorkloadAccessTokenForJWT GetWorkloadAccessTokenForJWT POST
/identities/GetWorkloadAccessTokenForUserId GetWorkloadAccessTokenForUserId POST /memories/{memoryId}/ingest
IngestData POST /runtimes/{agentRuntimeArn}/invocations InvokeAgentRuntime POST /runtimes/{agentRuntimeArn}/commands
InvokeAgentRuntimeCommand* POST /browsers/{browserIdentifier}/sessions/invoke InvokeBrowser POST
/code-interpreters/{codeInterpreterIdentifier}/tools/invoke InvokeCodeInterpreter* POST /harnesses/invoke
InvokeHarness* POST /web-search/{webSearchId}/invoke InvokeWebSearch GET /ab-tests ListABTests POST
/memories/{memoryId}/actors ListActors GET /agentinsights ListAgentInsights GET /evaluations/batch-evaluate
ListBatchEvaluations POST /browsers/{browserIdentifier}/sessions/list ListBrowserSessions POST
/code-interpreters/{codeInterpreterIdentifier}/sessions/list ListCodeInterpreterSessions GET
/datasets/{datasetId}/generations ListDatasetGenerations POST
/memories/{memoryId}/actor/{actorId}/sessions/{sessionId} ListEvents POST /memories/{memoryId}/extractionJobs
ListMemoryExtractionJobs POST /memories/{memoryId}/memoryRecords ListMemoryRecords POST
/payments/listPaymentInstruments ListPaymentInstruments POST /payments/listPaymentSessions ListPaymentSessions GET
/recommendations ListRecommendations POST /memories/{memoryId}/actor/{actorId}/sessions ListSessions POST
/payments/processPayment ProcessPayment POST /memories/{memoryId}/retrieve RetrieveMemoryRecords PUT
/browser-profiles/{profileIdentifier}/save SaveBrowserSessionProfile POST /registry-records/search
SearchRegistryRecords POST /evaluations/batch-evaluate StartBatchEvaluation PUT
/browsers/{browserIdentifier}/sessions/start StartBrowserSession PUT
/code-interpreters/{codeInterpreterIdentifier}/sessions/start StartCodeInterpreterSession POST
/datasets/{datasetId}/generations StartDatasetGeneration POST /memories/{memoryId}/extractionJobs/start
StartMemoryExtractionJob POST /recommendations StartRecommendation POST
/evaluations/batch-evaluate/{batchEvaluationId}/stop StopBatchEvaluation PUT
/browsers/{browserIdentifier}/sessions/stop StopBrowserSession PUT
/code-interpreters/{codeInterpreterIdentifier}/sessions/stop StopCodeInterpreterSession POST
/runtimes/{agentRuntimeArn}/stopruntimesession StopRuntimeSession PUT /ab-tests/{abTestId} UpdateABTest PUT
/agentinsights/{agentInsightId} UpdateAgentInsight PUT /browsers/{browserIdentifier}/sessions/streams/update
UpdateBrowserStream
# bedrock-agentcore-control
POST /datasets/{datasetId}/examples/add AddDatasetExamples PUT /gateways/{gatewayIdentifier}/rate-limits/batch
BatchPutGatewayRateLimits PUT /runtimes/ CreateAgentRuntime PUT /runtimes/{agentRuntimeId}/runtime-endpoints/
CreateAgentRuntimeEndpoint POST /identities/CreateApiKeyCredentialProvider CreateApiKeyCredentialProvider PUT
/browsers CreateBrowser PUT /browser-profiles CreateBrowserProfile PUT /capacity-providers CreateCapacityProvider
PUT /code-interpreters CreateCodeInterpreter POST /configuration-bundles/create CreateConfigurationBundle POST
/identities/CreateConsentPortal CreateConsentPortal POST /datasets CreateDataset POST /datasets/{datasetId}/versions
CreateDatasetVersion POST /evaluators/create CreateEvaluator POST /gateways/ CreateGateway POST
/gateways/{gatewayIdentifier}/rate-limits CreateGatewayRateLimit POST /gateways/{gatewayIdentifier}/rules
CreateGatewayRule POST /gateways/{gatewayIdentifier}/targets/ CreateGatewayTarget POST /harnesses CreateHarness POST
/harnesses/{harnessId}/endpoints CreateHarnessEndpoint POST /memories/create CreateMemory POST
/identities/CreateOauth2CredentialProvider CreateOauth2CredentialProvider POST /online-evaluation-configs/create
CreateOnlineEvaluationConfig POST /payments/managers/{paymentManagerId}/connectors CreatePaymentConnector POST
/identities/CreatePaymentCredentialProvider CreatePaymentCredentialProvider POST /payments/managers
CreatePaymentManager POST /policy-engines/{policyEngineId}/policies CreatePolicy POST /policy-engines
CreatePolicyEngine POST /registries CreateRegistry POST /registries/{registryId}/records CreateRegistryRecord POST
/identities/CreateWorkloadIdentity CreateWorkloadIdentity DELETE /runtimes/{agentRuntimeId}/ DeleteAgentRuntime
DELETE /runtimes/{agentRuntimeId}/runtime-endpoints/{endpointName}/ DeleteAgentRuntimeEndpoint POST
/identities/DeleteApiKeyCredentialProvider DeleteApiKeyCredentialProvider DELETE /browsers/{browserId} DeleteBrowser
DELETE /browser-profiles/{profileId} DeleteBrowserProfile DELETE /capacity-providers/{capacityProviderId}
DeleteCapacityProvider DELETE /code-interpreters/{codeInterpreterId} DeleteCodeInterpreter DELETE
/configuration-bundles/{bundleId} DeleteConfigurationBundle POST /identities/DeleteConsentPortal DeleteConsentPortal
DELETE /datasets/{datasetId} DeleteDataset POST /datasets/{datasetId}/examples/delete DeleteDatasetExamples DELETE
/evaluators/{evaluatorId} DeleteEvaluator DELETE /gateways/{gatewayIdentifier}/ DeleteGateway DELETE
/gateways/{gatewayIdentifier}/rate-limits/{rateLimitId} DeleteGatewayRateLimit DELETE
/gateways/{gatewayIdentifier}/rules/{ruleId} DeleteGatewayRule DELETE
/gateways/{gatewayIdentifier}/targets/{targetId}/ DeleteGatewayTarget DELETE /harnesses/{harnessId} DeleteHarness
DELETE /harnesses/{harnessId}/endpoints/{endpointName} DeleteHarnessEndpoint DELETE /memories/{memoryId}/delete
DeleteMemory POST /identities/DeleteOauth2CredentialProvider DeleteOauth2CredentialProvider DELETE
/online-evaluation-configs/{onlineEvaluationConfigId} DeleteOnlineEvaluationConfig DELETE
/payments/managers/{paymentManagerId}/connectors/{paymentConnectorId} DeletePaymentConnector POST
/identities/DeletePaymentCredentialProvider DeletePaymentCredentialProvider DELETE
/payments/managers/{paymentManagerId} DeletePaymentManager DELETE
/policy-engines/{policyEngineId}/policies/{policyId} DeletePolicy DELETE /policy-engines/{policyEngineId}
DeletePolicyEngine DELETE /registries/{registryId} DeleteRegistry DELETE /registries/{registryId}/records/{recordId}
DeleteRegistryRecord DELETE /resourcepolicy/{resourceArn} DeleteResourcePolicy POST
/identities/DeleteWorkloadIdentity DeleteWorkloadIdentity GET /agent-insight-stores/{agentInsightStoreId}
GetAgentInsightStore GET /runtimes/{agentRuntimeId}/ GetAgentRuntime GET
/runtimes/{agentRuntimeId}/runtime-endpoints/{endpointName}/ GetAgentRuntimeEndpoint POST
/identities/GetApiKeyCredentialProvider GetApiKeyCredentialProvider GET /browsers/{browserId} GetBrowser GET
/browser-profiles/{profileId} GetBrowserProfile GET /capacity-providers/{capacityProviderId} GetCapacityProvider GET
/code-interpreters/{codeInterpreterId} GetCodeInterpreter GET /configuration-bundles/{bundleId}
GetConfigurationBundle GET /configuration-bundles/{bundleId}/versions/{versionId} GetConfigurationBundleVersion POST
/identities/GetConsentPortal GetConsentPortal GET /datasets/{datasetId} GetDataset GET /evaluators/{evaluatorId}
GetEvaluator GET /gateways/{gatewayIdentifier}/ GetGateway GET
/gateways/{gatewayIdentifier}/rate-limits/{rateLimitId} GetGatewayRateLimit GET
/gateways/{gatewayIdentifier}/rules/{ruleId} GetGatewayRule GET /gateways/{gatewayIdentifier}/targets/{targetId}/
GetGatewayTarget GET /harnesses/{harnessId} GetHarness GET /harnesses/{harnessId}/endpoints/{endpointName}
GetHarnessEndpoint GET /memories/{memoryId}/details GetMemory POST /identities/GetOauth2CredentialProvider
GetOauth2CredentialProvider GET /online-evaluation-configs/{onlineEvaluationConfigId} GetOnlineEvaluationConfig GET
/payments/managers/{paymentManagerId}/connectors/{paymentConnectorId} GetPaymentConnector POST
/identities/GetPaymentCredentialProvider GetPaymentCredentialProvider GET /payments/managers/{paymentManagerId}
GetPaymentManager GET /policy-engines/{policyEngineId}/policies/{policyId} GetPolicy GET
/policy-engines/{policyEngineId} GetPolicyEngine GET /policy-engine-summaries/{policyEngineId}
GetPolicyEngineSummary GET /policy-engines/{policyEngineId}/policy-generations/{policyGenerationId}
GetPolicyGeneration GET /policy-engines/{policyEngineId}/policy-generation-summaries/{policyGenerationId}
GetPolicyGenerationSummary GET /policy-engines/{policyEngineId}/policy-summaries/{policyId} GetPolicySummary GET
/registries/{registryId} GetRegistry GET /registries/{registryId}/records/{recordId} GetRegistryRecord GET
/resourcepolicy/{resourceArn} GetResourcePolicy POST /identities/get-token-vault GetTokenVault POST
/identities/GetWorkloadIdentity GetWorkloadIdentity POST /agent-insight-stores ListAgentInsightStores POST
/runtimes/{agentRuntimeId}/runtime-endpoints/ ListAgentRuntimeEndpoints POST /runtimes/{agentRuntimeId}/versions/
ListAgentRuntimeVersions POST /capacity-providers/{capacityProviderId}/runtime-versions
ListAgentRuntimeVersionsByCapacityProvider POST /runtimes/ ListAgentRuntimes POST
/identities/ListApiKeyCredentialProviders ListApiKeyCredentialProviders POST /browser-profiles ListBrowserProfiles
POST /browsers ListBrowsers POST /capacity-providers ListCapacityProviders POST /code-interpreters
ListCodeInterpreters POST /configuration-bundles/{bundleId}/versions ListConfigurationBundleVersions POST
/configuration-bundles ListConfigurationBundles POST /identities/ListConsentPortals ListConsentPortals POST
/datasets/{datasetId}/examples/list ListDatasetExamples POST /datasets/{datasetId}/versions/list ListDatasetVersions
POST /datasets/list ListDatasets POST /evaluators ListEvaluators GET /gateways/{gatewayIdentifier}/rate-limits
ListGatewayRateLimits GET /gateways/{gatewayIdentifier}/rules ListGatewayRules GET
/gateways/{gatewayIdentifier}/targets/ ListGatewayTargets GET /gateways/ ListGateways GET
/harnesses/{harnessId}/endpoints ListHarnessEndpoints GET /harnesses/{harnessId}/versions ListHarnessVersions GET
/harnesses ListHarnesses POST /memories/ ListMemories POST /identities/ListOauth2CredentialProviders
ListOauth2CredentialProviders POST /online-evaluation-configs ListOnlineEvaluationConfigs POST
/payments/managers/{paymentManagerId}/connectors-list ListPaymentConnectors POST
/identities/ListPaymentCredentialProviders ListPaymentCredentialProviders POST /payments/managers-list
ListPaymentManagers GET /policy-engines/{policyEngineId}/policies ListPolicies GET /policy-engine-summaries
ListPolicyEngineSummaries GET /policy-engines ListPolicyEngines GET
/policy-engines/{policyEngineId}/policy-generations/{policyGenerationId}/assets ListPolicyGenerationAssets GET
/policy-engines/{policyEngineId}/policy-generation-summaries ListPolicyGenerationSummaries GET
/policy-engines/{policyEngineId}/policy-generations ListPolicyGenerations GET
/policy-engines/{policyEngineId}/policy-summaries ListPolicySummaries GET /registries ListRegistries GET
/registries/{registryId}/records ListRegistryRecords GET /tags/{resourceArn} ListTagsForResource POST
/identities/ListWorkloadIdentities ListWorkloadIdentities PUT /resourcepolicy/{resourceArn} PutResourcePolicy POST
/identities/reset-token-vault-key-material ResetTokenVaultKeyMaterial POST
/payments/managers/{paymentManagerId}/connectors/{paymentConnectorId}/rotate-credentials
RotatePaymentConnectorCredentials POST /identities/set-token-vault-cmk SetTokenVaultCMK POST
/policy-engines/{policyEngineId}/policy-generations StartPolicyGeneration POST
/registries/{registryId}/records/{recordId}/submit-for-approval SubmitRegistryRecordForApproval PUT
/gateways/{gatewayIdentifier}/synchronizeTargets SynchronizeGatewayTargets POST /tags/{resourceArn} TagResource
DELETE /tags/{resourceArn} UntagResource PUT /agent-insight-stores/{agentInsightStoreId} UpdateAgentInsightStore PUT
/runtimes/{agentRuntimeId}/ UpdateAgentRuntime PUT /runtimes/{agentRuntimeId}/runtime-endpoints/{endpointName}/
UpdateAgentRuntimeEndpoint POST /identities/UpdateApiKeyCredentialProvider UpdateApiKeyCredentialProvider PUT
/capacity-providers/{capacityProviderId} UpdateCapacityProvider PUT /configuration-bundles/{bundleId}
UpdateConfigurationBundle POST /identities/UpdateConsentPortal UpdateConsentPortal PUT /datasets/{datasetId}
UpdateDataset POST /datasets/{datasetId}/examples/update UpdateDatasetExamples PUT /evaluators/{evaluatorId}
UpdateEvaluator PUT /gateways/{gatewayIdentifier}/ UpdateGateway PATCH
/gateways/{gatewayIdentifier}/rate-limits/{rateLimitId} UpdateGatewayRateLimit PATCH
/gateways/{gatewayIdentifier}/rules/{ruleId} UpdateGatewayRule PUT /gateways/{gatewayIdentifier}/targets/{targetId}/
UpdateGatewayTarget PATCH /harnesses/{harnessId} UpdateHarness PATCH /harnesses/{harnessId}/endpoints/{endpointName}
UpdateHarnessEndpoint PUT /memories/{memoryId}/update UpdateMemory POST /identities/UpdateOauth2CredentialProvider
UpdateOauth2CredentialProvider PUT /online-evaluation-configs/{onlineEvaluationConfigId}
UpdateOnlineEvaluationConfig PATCH /payments/managers/{paymentManagerId}/connectors/{paymentConnectorId}
UpdatePaymentConnector POST /identities/UpdatePaymentCredentialProvider UpdatePaymentCredentialProvider PATCH
/payments/managers/{paymentManagerId} UpdatePaymentManager PATCH
/policy-engines/{policyEngineId}/policies/{policyId} UpdatePolicy PATCH /policy-engines/{policyEngineId}
UpdatePolicyEngine PATCH /registries/{registryId} UpdateRegistry PATCH /registries/{registryId}/records/{recordId}
UpdateRegistryRecord PATCH /registries/{registryId}/records/{recordId}/status UpdateRegistryRecordStatus POST
/identities/UpdateWorkloadIdentity UpdateWorkloadIdentity
# bedrock-data-automation
PUT /blueprints/{blueprintArn}/copy-stage CopyBlueprintStage PUT /blueprints/ CreateBlueprint POST
/blueprints/{blueprintArn}/versions/ CreateBlueprintVersion PUT /data-automation-libraries/
CreateDataAutomationLibrary PUT /data-automation-projects/ CreateDataAutomationProject DELETE
/blueprints/{blueprintArn}/ DeleteBlueprint DELETE /data-automation-libraries/{libraryArn}/
DeleteDataAutomationLibrary DELETE /data-automation-projects/{projectArn}/ DeleteDataAutomationProject POST
/blueprints/{blueprintArn}/ GetBlueprint POST /getBlueprintOptimizationStatus/{invocationArn}
GetBlueprintOptimizationStatus POST /data-automation-libraries/{libraryArn}/ GetDataAutomationLibrary POST
/data-automation-libraries/{libraryArn}/entityType/{entityType}/entities/{entityId} GetDataAutomationLibraryEntity
POST /data-automation-libraries/{libraryArn}/library-ingestion-jobs/{jobArn} GetDataAutomationLibraryIngestionJob
POST /data-automation-projects/{projectArn}/ GetDataAutomationProject POST /invokeBlueprintOptimizationAsync
InvokeBlueprintOptimizationAsync PUT /data-automation-libraries/{libraryArn}/library-ingestion-jobs/
InvokeDataAutomationLibraryIngestionJob POST /blueprints/ ListBlueprints POST /data-automation-libraries/
ListDataAutomationLibraries POST /data-automation-libraries/{libraryArn}/entityType/{entityType}/entities/
ListDataAutomationLibraryEntities POST /data-automation-libraries/{libraryArn}/library-ingestion-jobs/
ListDataAutomationLibraryIngestionJobs POST /data-automation-projects/ ListDataAutomationProjects POST
/listTagsForResource ListTagsForResource POST /tagResource TagResource POST /untagResource UntagResource PUT
/blueprints/{blueprintArn}/ UpdateBlueprint PUT /data-automation-libraries/{libraryArn}/ UpdateDataAutomationLibrary
PUT /data-automation-projects/{projectArn}/ UpdateDataAutomationProject
# bedrock-data-automation-runtime AmazonBedrockKeystoneRuntimeService
POST / GetDataAutomationStatus POST / InvokeDataAutomation POST / InvokeDataAutomationAsync POST /
ListTagsForResource POST / TagResource POST / UntagResource
"""
