"""Where OpenShift takes the image of a container from, if not from the pod. Knows no setting, and looks no image stream up."""

from __future__ import annotations

from hardener.facts.kubernetes.manifest import Scope
from hardener.facts.kubernetes.pod import Member
from hardener.syntax.yaml import Mapping

_IMAGE = "imageChangeParams"
#: What says for other kinds, as JSON, what `triggers` of a DeploymentConfig say (openshift/library-go,
#: pkg/image/trigger/types.go: TriggerAnnotationKey).
_ANNOTATION = "image.openshift.io/triggers"


def image_stream(member: Member) -> str:
    """What is deployed in place of the image that stands in the pod, such as `ImageStreamTag mysql:5.7`; "" for nothing.

    A trigger on a change of an image writes what it finds into the containers that it names, before the first pod is there
    (openshift/api, apps/v1/types.go: DeploymentTriggerImageChangeParams).
    """
    owner = member.pod.node.owner
    whole = Scope(member.file, owner.mapping, None)
    if owner.kind == "DeploymentConfig":
        for trigger, _ in whole.items("spec", "triggers"):
            if isinstance(trigger, Mapping):
                about = Scope(member.file, trigger, None)
                if member.name in (about.words("imageChangeParams", "containerNames") or ()):
                    return _called(
                        about.text("imageChangeParams", "from", "kind"), about.text("imageChangeParams", "from", "name")
                    )
    elif whole.find("metadata", "annotations", _ANNOTATION) is not None:
        return _called(None, None)
    return ""


def _called(kind: str | None, name: str | None) -> str:
    return f"{kind or 'ImageStreamTag'} {name or 'of a trigger'}"
