#!/bin/sh
# What the IT department types once on a Proxmox VE node, as root, so that labctl may work there and nowhere else.
#
#   sh proxmox-setup.sh
#
# Change the names below to your own; every installation of labctl needs its own pool, zone, storage and VMID range, for a
# token that may use a storage or a zone may also disturb others there. The storage STORE must exist already. Templates
# go into the pool TEMPLATES: without a network card, or with one on the VNet MANAGEMENT. Run again after a change: what is
# there already is reported and left. `labctl doctor` compares the token's privileges with these by name.
set -u

POOL=labs                # labctl makes one pool below it for each seat
TEMPLATES=lab-templates  # IT's image templates
STORE=lab                # where guests' disks go
MEDIA=local              # where images lie that templates are made from
ZONE=labs                # the lab's own networks
MGMT_ZONE=mgmt           # the management network's zone
MANAGEMENT=labmgmt       # its VNet
MANAGEMENT_TAG=4000
BRIDGE=vmbr0             # carries both zones as VLANs
AGENT=VM.GuestAgent.Audit  # on Proxmox VE 8: VM.Monitor

try() { "$@" || echo "proxmox-setup: already there, or refused: $*" >&2; }

try pveum pool add "$POOL"
try pveum pool add "$TEMPLATES"
try pvesh create /cluster/sdn/zones --zone "$ZONE" --type vlan --bridge "$BRIDGE"
# No learning: what a guest sends can teach the bridge no address, and frames for a guest go to its port alone.
try pvesh create /cluster/sdn/zones --zone "$MGMT_ZONE" --type vlan --bridge "$BRIDGE" --bridge-disable-mac-learning 1
try pvesh create /cluster/sdn/vnets --vnet "$MANAGEMENT" --zone "$MGMT_ZONE" --tag "$MANAGEMENT_TAG" --isolate-ports 1
try pvesh set /cluster/sdn

try pveum user add labctl@pve --comment "labctl service account, token only"
try pveum user token add labctl@pve lab --privsep 1 # prints the secret once: put it into HOME/secrets/proxmox-token, mode 600

try pveum role add LabctlGuests --privs "VM.Allocate VM.Audit VM.Clone VM.PowerMgmt VM.Console VM.Snapshot VM.Config.CPU VM.Config.Memory VM.Config.Disk VM.Config.Network VM.Config.Options VM.Config.HWType VM.Config.Cloudinit $AGENT Pool.Allocate Pool.Audit"
try pveum role add LabctlImages --privs "VM.Clone VM.Audit"
try pveum role add LabctlStore --privs "Datastore.AllocateSpace Datastore.Audit"
try pveum role add LabctlMedia --privs "Datastore.Audit"
try pveum role add LabctlNets --privs "SDN.Allocate SDN.Audit SDN.Use"
try pveum role add LabctlMgmt --privs "SDN.Audit SDN.Use"
try pveum role add LabctlApply --privs "SDN.Allocate"
try pveum role add LabctlSee --privs "Sys.Audit"

# Both the user and the token: what counts is what both have.
acl() { path=$1 role=$2; shift 2; try pveum acl modify "$path" --roles "$role" --users labctl@pve --tokens 'labctl@pve!lab' "$@"; }
acl "/pool/$POOL" LabctlGuests
acl "/pool/$TEMPLATES" LabctlImages
acl "/storage/$STORE" LabctlStore --propagate 0
acl "/storage/$MEDIA" LabctlMedia --propagate 0
acl "/sdn/zones/$ZONE" LabctlNets
acl "/sdn/zones/$MGMT_ZONE" LabctlMgmt
acl /sdn LabctlApply --propagate 0 # with 1 it could change IT's own networks
acl /nodes LabctlSee
acl / LabctlSee --propagate 0

# Guests' firewalls do nothing while the datacenter's is off. Switching it on also switches on the nodes' own, which by default let in only
# their local network (port 8006, 22): look at those rules first, so this is not done for you.
if ! pvesh get /cluster/firewall/options --output-format json | grep -q '"enable": *1'; then
    echo "proxmox-setup: STILL TO DO: the datacenter's firewall is off; when the nodes' rules are right: pvesh set /cluster/firewall/options --enable 1" >&2
fi
