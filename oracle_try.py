import numpy as np, sys
from joblib import Parallel, delayed
from dgrasp.sim import task, blocked_grasps, oracle_grasps
import dgrasp; print(dgrasp.__file__)
t=task("dgrasp.sim.crowded:Crowded")
ss=[t.scene("train",i) for i in range(100)]
every=sum(len(oracle_grasps(s,clear=False)) for s in ss); print(every, sum(len(blocked_grasps(s)) for s in ss)/every)
h=[o.shape.extents for s in ss for o in s.objects]; print(np.percentile(np.array(h),[0,10,50,90,100],axis=0))
