"""All kinds of faults."""
import faults_disk
import faults_group
import faults_network
import faults_process

ALL = [*faults_process.ALL, *faults_network.ALL, *faults_disk.ALL, *faults_group.ALL]
BY_KIND = {kind.kind: kind for kind in ALL}


def chosen(names, missing):
    """Those named, or all; without those that need what is missing here."""
    wanted = names.split(",") if names else list(BY_KIND)
    unknown = [name for name in wanted if name not in BY_KIND]
    if unknown:
        raise SystemExit(f"No such fault: {', '.join(unknown)}. There are: {', '.join(BY_KIND)}")
    return [BY_KIND[name] for name in wanted if not (BY_KIND[name].needs & missing.keys())]


def skipped(missing):
    """The kinds that can't be made here, each with the reason."""
    return {kind.kind: "; ".join(missing[need] for need in sorted(kind.needs & missing.keys()))
            for kind in ALL if kind.needs & missing.keys()}
