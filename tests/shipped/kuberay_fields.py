"""The fields of KubeRay's and Kubernetes' resources that the manifests use, with their types, in our own words.

Owns: what a manifest may say. It is no copy of the real schemas, which are larger by far and not ours; a field that a
manifest begins to use is looked up there and added here. `test_kuberay.py` compares with the real ones where they are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$")]
LabelKey = Annotated[str, Field(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$")]
Labels = dict[LabelKey, Label]
Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
ResourceName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=47)]  # KubeRay's limit
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(m|Ki|Mi|Gi|Ti)?$")]
Count = Annotated[int, Field(ge=0)]


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Fields):
    name: Name | None = None
    labels: Labels = {}


class Resources(Fields):
    requests: dict[str, Quantity]
    limits: dict[str, Quantity]


class Port(Fields):
    containerPort: int
    name: Annotated[str, Field(max_length=15)]


class Named(Fields):
    name: Name


class EnvFrom(Fields):
    secretRef: Named


class Mount(Fields):
    name: Name
    mountPath: Annotated[str, Field(pattern="^/")]
    readOnly: bool = False


class Capabilities(Fields):
    drop: list[str]


class ContainerSecurity(Fields):
    allowPrivilegeEscalation: Literal[False]
    capabilities: Capabilities


class Container(Fields):
    name: Name
    image: str
    securityContext: ContainerSecurity
    ports: list[Port] = []
    envFrom: list[EnvFrom] = []
    resources: Resources
    volumeMounts: list[Mount]


class Claim(Fields):
    claimName: Name


class Memory(Fields):
    medium: Literal["Memory"]
    sizeLimit: Quantity


class Volume(Fields):
    name: Name
    persistentVolumeClaim: Claim | None = None
    configMap: Named | None = None
    emptyDir: Memory | None = None


class Seccomp(Fields):
    type: Literal["RuntimeDefault"]


class PodSecurity(Fields):
    runAsNonRoot: Literal[True]
    runAsUser: int
    fsGroup: int
    seccompProfile: Seccomp


class Toleration(Fields):
    key: LabelKey
    operator: Literal["Equal", "Exists"]
    value: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Pod(Fields):
    securityContext: PodSecurity
    automountServiceAccountToken: bool = True
    containers: list[Container]
    volumes: list[Volume]
    nodeSelector: Labels = {}
    tolerations: list[Toleration] = []


class Template(Fields):
    metadata: Metadata
    spec: Pod


class Head(Fields):
    serviceType: Literal["ClusterIP"]
    rayStartParams: dict[str, str]
    labels: Labels = {}
    template: Template


class Workers(Fields):
    groupName: Name
    replicas: Count
    minReplicas: Count
    maxReplicas: Count
    rayStartParams: dict[str, str]
    labels: Labels = {}
    template: Template


class Auth(Fields):
    mode: Literal["token", "disabled"]
    secretName: Name


class Autoscaler(Fields):
    version: Literal["v1", "v2"]
    idleTimeoutSeconds: Count
    securityContext: ContainerSecurity


class Cluster(Fields):
    rayVersion: str
    authOptions: Auth
    enableInTreeAutoscaling: bool = False
    autoscalerOptions: Autoscaler | None = None
    headGroupSpec: Head
    workerGroupSpecs: list[Workers]


class JobSpec(Fields):
    entrypoint: str
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]
    shutdownAfterJobFinishes: bool
    ttlSecondsAfterFinished: Count
    backoffLimit: Count
    rayClusterSpec: Cluster


class ServiceSpec(Fields):
    excludeHeadPodFromServeSvc: bool
    serveConfigV2: str
    rayClusterConfig: Cluster


class Owned(Fields):
    name: ResourceName


class RayJob(Fields):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Owned
    spec: JobSpec


class RayService(Fields):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayService"]
    metadata: Owned
    spec: ServiceSpec


class Storage(Fields):
    requests: dict[Literal["storage"], Quantity]


class ClaimSpec(Fields):
    accessModes: list[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]]
    resources: Storage


class PersistentVolumeClaim(Fields):
    apiVersion: Literal["v1"]
    kind: Literal["PersistentVolumeClaim"]
    metadata: Named
    spec: ClaimSpec


class Selector(Fields):
    matchLabels: Labels = {}


class Peer(Fields):
    podSelector: Selector
    namespaceSelector: Selector | None = None


class PolicyPort(Fields):
    protocol: Literal["TCP", "UDP"]
    port: int


class Ingress(Fields):
    model_config = ConfigDict(populate_by_name=True)

    peers: Annotated[list[Peer], Field(alias="from", min_length=1)]
    ports: list[PolicyPort] = []


class PolicySpec(Fields):
    podSelector: Selector
    policyTypes: list[Literal["Ingress", "Egress"]]
    ingress: list[Ingress]


class NetworkPolicy(Fields):
    apiVersion: Literal["networking.k8s.io/v1"]
    kind: Literal["NetworkPolicy"]
    metadata: Named
    spec: PolicySpec
