"""What exists on the cluster for one environment, as Pulumi resources: plain functions over the Proxmox client.

Here live the kinds (pool, network, guest) with check, diff, create, read, update and delete; nothing here knows gRPC, an
engine or a state file. Every verb converges on what is there: create adopts what is ours, update completes what is half
made, delete of what is gone is success.
"""
